/*
 * CPU time between two moments.  It must not know what is counted.
 */
#include "meter.h"

#include <stdbool.h>
#include <unistd.h>

#include "net/sock.h"
#include "process.h"

struct meter_sample
meter_look(pid_t server, uint64_t count)
{
    return (struct meter_sample){
        .time = weft_now(), .count = count,
        .load_cpu = process_cpu(getpid()),
        .server_cpu = server > 0 ? process_cpu(server) : -1,
        .busy = process_machine_busy(),
    };
}

struct meter_report
meter_between(const struct meter_sample *from, const struct meter_sample *to)
{
    double seconds = (double)(to->time - from->time) / 1e9;
    double server = to->server_cpu - from->server_cpu;
    double load = to->load_cpu - from->load_cpu;
    double others = to->busy - from->busy - load - server;
    uint64_t count = to->count - from->count;
    bool known = from->server_cpu >= 0 && to->server_cpu >= 0;

    return (struct meter_report){
        .count = count,
        .seconds = seconds,
        .rate = (double)count / seconds,
        .load_cpu = load / seconds,
        .server_cpu = known ? server / seconds : -1,
        .others_cpu = !known ? -1 : others > 0 ? others / seconds : 0,
        .server_each = known && count > 0 ? server * 1e6 / (double)count : -1,
    };
}
