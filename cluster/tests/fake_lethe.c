/* A command that looks like lethe to whoever starts, watches and stops workers, for the tests of cluster/workers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "0.1.0"
#endif

static void end(int number) { (void)number; _exit(0); }

static const char *option(int count, char **values, const char *name) {
    for (int i = 1; i + 1 < count; i++)
        if (!strcmp(values[i], name)) return values[i + 1];
    return "";
}

int main(int count, char **values) {
    if (count > 1 && !strcmp(values[1], "--version")) return puts(VERSION) < 0;
    if (count < 2 || strcmp(values[1], "worker")) return 64;
    const char *coordinator = option(count, values, "--coordinator"), *data = option(count, values, "--data");
    char path[4096];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(values[count - 1], "--clean")) {
        if (strstr(coordinator, "silent")) { puts("error: no coordinator answers"); return 69; }
        printf("cleaned %s\n", data);
        return 0;
    }
    snprintf(path, sizeof path, "mkdir -p '%s'", data);
    if (system(path)) return 1;
    if (strstr(coordinator, "ends")) { puts("error: refused by the coordinator"); return 77; }
    signal(SIGTERM, end);
    puts("info worker: worker 0 is ready: bf16, 0 shards kept");
    if (!strstr(coordinator, "silent")) printf("info worker: connected to cluster of-%s\n", coordinator);
    for (;;) pause();
}
