/* The start of a POSIX thread. */
#ifndef FLUXCAP_THREADS_H
#define FLUXCAP_THREADS_H

#include <pthread.h>
#include <signal.h>

/* A new thread blocks all signals, so that they go to the threads that were there before: Ctrl-C has to interrupt a
 * read that waits, and only the thread that reads can be interrupted. */
static inline int thread_start(pthread_t *thread, void *(*run)(void *), void *with) {
    sigset_t all, before;
    int failed;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(thread, NULL, run, with);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

#endif
