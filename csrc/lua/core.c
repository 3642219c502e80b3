/*
 * luaopen_weft_core: the module's table, put together by the files that
 * know what is in it.
 */
#include "lua/blocks.h"
#include "lua/l_config.h"
#include "lua/l_file.h"
#include "lua/l_protocol.h"
#include "lua/l_ranges.h"
#include "lua/l_tls.h"
#include "lua/state.h"

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

EXPORT int luaopen_weft_core(lua_State *L);

int
luaopen_weft_core(lua_State *L)
{
    lua_newtable(L);
    weft_loop_register(L);
    weft_task_register(L);
    weft_ws_register(L);
    weft_config_register(L);
    weft_server_register(L);
    weft_log_register(L);
    weft_request_register(L);
    weft_client_register(L);
    weft_events_register(L);
    weft_tls_register(L);
    weft_queue_register(L);
    weft_room_register(L);
    weft_file_register(L);
    weft_signal_register(L);
    weft_crew_register(L);
    weft_process_register(L);
    weft_text_register(L);
    weft_blocks_register(L);
    weft_ranges_register(L);
    weft_protocol_register(L);
    lua_setfield(L, -2, "protocol");
    return 1;
}
