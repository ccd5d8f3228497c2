"""What every server of pages needs: who may ask, what may come in, and how it is served."""
