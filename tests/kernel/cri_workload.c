/* The program of every container of the CRI tests, static: what it does is its first argument. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) {
  (void)signal;
  _exit(0);
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "pause";
  const long number = argc > 2 ? atol(argv[2]) : 0;
  if (strcmp(what, "crash") == 0) {
    fprintf(stderr, "starting\nno route to the database, password=hunter2secret9\n");
    return (int)number;
  }
  if (strcmp(what, "hog") == 0) {
    fprintf(stderr, "taking %ld MiB\n", number);
    for (long i = 0; i < number; ++i) memset(malloc(1 << 20), 1, 1 << 20);
    return 0;
  }
  signal(SIGTERM, end);
  signal(SIGINT, end);
  for (;;) pause();
}
