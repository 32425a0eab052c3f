/* Sums of so many bytes, by one kernel: a program whose instructions bench_kernels.py counts.
 *
 * usage: kernels NAME BYTES BATCHES */
#include <stdio.h>
#include <stdlib.h>

#include "checksums/kernels.h"

enum { JOBS = 32 }; /* as many as a batch has packets */

int main(int n, char **words) {
    static uint8_t bytes[65536];
    SumJob jobs[JOBS];
    KernelRow rows[KERNELS_MAX];
    size_t row = 0, n_rows = list_kernels(rows);
    if (n != 4 || strtoul(words[2], NULL, 10) > sizeof bytes)
        return 2;
    while (row < n_rows && (strcmp(rows[row].name, words[1]) || !rows[row].supported))
        row++;
    if (row == n_rows)
        return 1;
    for (size_t i = 0; i < JOBS; i++)
        jobs[i] = (SumJob){bytes, (uint32_t)strtoul(words[2], NULL, 10), i};
    for (unsigned long left = strtoul(words[3], NULL, 10); left; left--)
        rows[row].run(jobs, JOBS);
    /* Both functions are used, so that no compiler warns. */
    printf("%u %u\n", (unsigned)fold(jobs[0].sum), (unsigned)crc32c_update(0, bytes, 0));
}
