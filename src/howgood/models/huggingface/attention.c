/* Attention of a row of a trie's tokens in float32: as FlashAttention (Dao et al., arXiv:2205.14135), keys are gone
   through once, with a running maximum and sum of each query. A tile of queries lies in the lanes of vectors, so
   that neither keys nor values are copied or turned, and maxima and sums are of lanes; keys that no query of the tile
   sees are passed over, four at a time. `kernel.py` compiles this, says how wide a query can be (WIDEST), and calls
   it. */

#define LANES 16 /* of an AVX-512 register, of which there are 32: 16 hold sums */
#define VECTORS 4
#define TILE (LANES * VECTORS) /* queries */
#define GROUP 4                /* keys that are multiplied, and outputs that are summed up, at a time */
#define BLOCK 64               /* keys after which the maxima are looked at */
#define NEVER -1e30f           /* the score of what is not seen; finite, so that differences are */

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int ints __attribute__((vector_size(4 * LANES)));

/* Keys or values: those known before the row, then those of its tokens. Steps are in floats. */
typedef struct {
    const float *start;
    long head, token;
} Matrix;

typedef struct {
    Matrix query, key[2], value[2], out;
    const int *ends; /* a token at place i sees that at place j when j <= i < ends[j]; the known ones count too */
    long heads, groups, tokens, known, width;
    float scale;
} Row;

typedef struct {
    vec query[WIDEST][VECTORS], out[WIDEST][VECTORS]; /* of a number of the width, all queries */
    vec score[BLOCK][VECTORS];
    vec most[VECTORS], sum[VECTORS];
    const float *key[BLOCK], *value[BLOCK];
    long seen; /* keys that wait */
} Tile;

static vec or_else(ints where, vec a, vec b) { return (vec)((where & (ints)a) | (~where & (ints)b)); }

/* Two to the power of x <= 0, to 1.2e-7 of itself, and 0 below 2^-126: Taylor's polynomial for what is left of the
   nearest whole number, which is added to the exponent. NaN stays NaN. */
static vec power(vec x) {
    ints none = x < -126.f;
    x = or_else(none, (vec){0}, x);
    vec whole = (x + 12582912.f) - 12582912.f; /* 1.5 * 2^23 leaves no room for a fraction */
    vec f = x - whole;
    vec p = f * 1.5403530393e-4f + 1.3333558146e-3f;
    p = p * f + 9.6181291076e-3f;
    p = p * f + 5.5504108665e-2f;
    p = p * f + 2.4022650696e-1f;
    p = p * f + 6.9314718056e-1f;
    p = p * f + 1.f;
    return (vec)(~none & ((ints)p + (__builtin_convertvector(whole, ints) << 23)));
}

/* Scores of GROUP keys. */
static void multiply(Tile *t, long width) {
    const float *const *key = t->key + t->seen;
    vec sum[GROUP][VECTORS] = {0};
    for (long d = 0; d < width; d++)
        for (int y = 0; y < GROUP; y++)
            for (int x = 0; x < VECTORS; x++) sum[y][x] += t->query[d][x] * key[y][d];
    for (int y = 0; y < GROUP; y++)
        for (int x = 0; x < VECTORS; x++) t->score[t->seen + y][x] = sum[y][x];
}

/* Take in the keys that wait: the weights of their values, and the sums of both. */
static void take(Tile *t, long width) {
    vec less[VECTORS];
    for (int x = 0; x < VECTORS; x++) {
        vec most = t->most[x];
        for (long j = 0; j < t->seen; j++) most = or_else(t->score[j][x] > most, t->score[j][x], most);
        less[x] = power(t->most[x] - most);
        vec sum = {0};
        for (long j = 0; j < t->seen; j++) {
            t->score[j][x] = power(t->score[j][x] - most);
            sum += t->score[j][x];
        }
        t->most[x] = most;
        t->sum[x] = t->sum[x] * less[x] + sum;
    }
    for (long d = 0; d < width; d += GROUP) {
        vec sum[GROUP][VECTORS] = {0}; /* of a block by itself: so thousands of keys lose no digits */
        for (long j = 0; j < t->seen; j++)
            for (int y = 0; y < GROUP; y++)
                for (int x = 0; x < VECTORS; x++) sum[y][x] += t->score[j][x] * t->value[j][d + y];
        for (int y = 0; y < GROUP; y++)
            for (int x = 0; x < VECTORS; x++) t->out[d + y][x] = t->out[d + y][x] * less[x] + sum[y][x];
    }
    t->seen = 0;
}

/* The outputs of the queries from `first` on of one head. */
static void attend_tile(const Row *r, long head, long first, Tile *t) {
    long group = head / (r->heads / r->groups), last = first + TILE < r->tokens ? first + TILE : r->tokens;
    long from = r->known + first, to = r->known + last; /* places */
    float *query = (float *)t->query, *out = (float *)t->out, *sum = (float *)t->sum;
    for (long i = 0; i < TILE; i++) {
        const float *q = r->query.start + head * r->query.head + (first + i < last ? first + i : last - 1) * r->query.token;
        for (long d = 0; d < r->width; d++) query[d * TILE + i] = q[d] * r->scale * 1.44269504f; /* log2 e */
    }
    for (int x = 0; x < VECTORS; x++) {
        t->most[x] = (vec){0} + NEVER;
        t->sum[x] = (vec){0};
        for (long d = 0; d < r->width; d++) t->out[d][x] = (vec){0};
    }
    t->seen = 0;
    for (int part = 0; part < 2; part++) {
        long start = part ? r->known : 0, stop = part ? to : r->known;
        const float *key = r->key[part].start + group * r->key[part].head;
        const float *value = r->value[part].start + group * r->value[part].head;
        for (long j = start; j < stop; j += GROUP) {
            int any = 0, all = j + GROUP <= stop && j + GROUP - 1 <= from;
            for (long place = j; place < j + GROUP && place < stop; place++) {
                any |= r->ends[place] > from;
                all &= r->ends[place] >= to;
            }
            if (!any) continue;
            for (int y = 0; y < GROUP; y++) {
                long n = (j + y < stop ? j + y : stop - 1) - start;
                t->key[t->seen + y] = key + n * r->key[part].token;
                t->value[t->seen + y] = value + n * r->value[part].token;
            }
            multiply(t, r->width);
            float *score = (float *)t->score[t->seen];
            for (int y = 0; y < GROUP && !all; y++)
                for (long i = 0; i < TILE; i++)
                    if (j + y >= stop || from + i < j + y || from + i >= r->ends[j + y]) score[y * TILE + i] = 2 * NEVER;
            t->seen += GROUP;
            if (t->seen == BLOCK) take(t, r->width);
        }
    }
    take(t, r->width);
    for (long i = 0; i < last - first; i++) {
        float *o = (float *)r->out.start + head * r->out.head + (first + i) * r->out.token;
        for (long d = 0; d < r->width; d++) o[d] = out[d * TILE + i] / sum[i];
    }
}

/* Compute all outputs. The last tile of each head sees most and goes first, so that threads end together. */
void attend(const Row *row, int threads) {
    long tiles = (row->tokens + TILE - 1) / TILE;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (long n = 0; n < tiles * row->heads; n++) {
        Tile tile; /* 150 kB of the thread's stack (OMP_STACKSIZE): kept elsewhere it costs 3 to 7 % of the time */
        attend_tile(row, n % row->heads, (tiles - 1 - n / row->heads) * TILE, &tile);
    }
}
