/* What of a process's files would be there after the power failed: loaded before the C library (LD_PRELOAD), this keeps
 * in the folder SYNCED_STORE, each time that a file or a directory is synced, its content or the names in it. Whatever
 * is written afterwards may be lost: power.py makes of it what could be found then.
 *
 * A name stands for an inode and its birth: numbers of inodes are used again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Of what lies at `name` in the directory, or of the directory itself when that is empty; 0: nothing is there. */
int synced_key(int directory, const char *name, char *key, size_t room, unsigned *mode) {
    struct statx found;
    int flags = AT_SYMLINK_NOFOLLOW | (name[0] ? 0 : AT_EMPTY_PATH);
    if (statx(directory, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) return 0;
    *mode = found.stx_mode;
    snprintf(key, room, "%llu-%lld-%u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
             found.stx_btime.tv_nsec);
    return 1;
}

static int copy_file(int from, FILE *to) {
    char bytes[1 << 16];
    ssize_t count;
    for (off_t offset = 0; (count = pread(from, bytes, sizeof bytes, offset)) > 0; offset += count)
        if (fwrite(bytes, 1, (size_t)count, to) != (size_t)count) return 0;
    return count == 0;
}

static int copy_names(int directory, FILE *to) {
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY);
    DIR *names = again < 0 ? NULL : fdopendir(again);
    if (!names) return 0;
    for (struct dirent *entry; (entry = readdir(names));) {
        char key[96];
        unsigned mode;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (synced_key(directory, entry->d_name, key, sizeof key, &mode))
            fprintf(to, "%s\t%s\n", key, entry->d_name);
    }
    closedir(names);
    return 1;
}

/* Keeps what the descriptor shows now. 0: it could not. */
int synced_keep(int descriptor, const char *store) {
    char key[96], path[4096], begun[4096], own[64];
    unsigned mode;
    if (!synced_key(descriptor, "", key, sizeof key, &mode)) return 0;
    if (!S_ISREG(mode) && !S_ISDIR(mode)) return 1;
    snprintf(path, sizeof path, "%s/%s-%s", store, S_ISDIR(mode) ? "names" : "content", key);
    snprintf(begun, sizeof begun, "%s/begun-%d", store, getpid());
    snprintf(own, sizeof own, "/proc/self/fd/%d", descriptor);
    pthread_mutex_lock(&lock);
    int from = open(own, O_RDONLY), done = 0;
    FILE *to = from < 0 ? NULL : fopen(begun, "wb");
    if (to) {
        done = S_ISDIR(mode) ? copy_names(from, to) : copy_file(from, to);
        done = fclose(to) == 0 && done && rename(begun, path) == 0;
    }
    if (from >= 0) close(from);
    pthread_mutex_unlock(&lock);
    return done;
}

static int keep_and_sync(int descriptor, const char *function) {
    const char *store = getenv("SYNCED_STORE");
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    int result = sync ? sync(descriptor) : (errno = ENOSYS, -1);
    if (result == 0 && store && !synced_keep(descriptor, store)) {
        /* A sync that this does not know of would look like data that were lost. */
        fprintf(stderr, "synced.c keeps nothing of descriptor %d: %s\n", descriptor, strerror(errno));
        abort();
    }
    return result;
}

int fsync(int descriptor) { return keep_and_sync(descriptor, "fsync"); }
int fdatasync(int descriptor) { return keep_and_sync(descriptor, "fdatasync"); }
