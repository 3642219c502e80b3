/*
 * Threads as Windows has them.  It must not know what they run.
 */
#include "net/thread.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <windows.h>

#include "base/mem.h"

enum { STACK = 512 << 10 };

struct start {
    void *(*run)(void *);
    void *argument;
};

static DWORD WINAPI
begin(void *argument)
{
    struct start start = *(struct start *)argument;

    weft_free(argument);
    start.run(start.argument);
    return 0;
}

/* The module stays loaded from now on, or its code would go under the thread
 * when the last lua_State is closed. */
static bool
stay_loaded(void)
{
    static const char here = 0;
    HMODULE module;

    return GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN
                                  | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                              &here, &module)
           != 0;
}

int
weft_thread_start(void *(*run)(void *), void *argument)
{
    struct start *start = weft_zalloc(sizeof(*start));
    HANDLE thread;

    if (start == NULL)
        return ENOMEM;
    *start = (struct start){ run, argument };
    thread = stay_loaded() ? CreateThread(NULL, STACK, begin, start,
                                          STACK_SIZE_PARAM_IS_A_RESERVATION,
                                          NULL)
                           : NULL;
    if (thread == NULL) {
        weft_free(start);
        return EAGAIN;
    }
    CloseHandle(thread);
    return 0;
}
