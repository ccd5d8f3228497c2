"""The studio: a local web app over any number of runs, to look at the instances.

`server` holds the app and who may ask it what; `library` the runs it shows; `page` how a page is made; each module of
`pages/` is one page: what it reads, and its template of the same name.
"""
