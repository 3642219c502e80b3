/*
 * The load against a server in a process of its own: what it counts, how it
 * goes through its phases, and that it can be ended in any of them.
 */
#include "load_kit.h"

static struct weft_load *
new_load(const struct weft_load_plan *plan)
{
    char why[WEFT_LOAD_WHY];
    struct weft_load *l = weft_load_new(plan, why);

    CHECK(l != NULL);
    return l;
}

static enum weft_status
run(struct weft_load *l)
{
    enum weft_status rc;

    while ((rc = weft_load_step(l, 1)) == WEFT_MORE)
        continue;
    return rc;
}

static void
counts_messages(const struct server *v)
{
    struct weft_load_plan plan = plan_for(v);
    struct weft_load *l = new_load(&plan);
    struct weft_load_report r = weft_load_report(l);

    CHECK(r.phase == WEFT_LOAD_OPENING && r.opened == 0 && r.total == 0);
    CHECK(run(l) == WEFT_OK && weft_load_phase(l) == WEFT_LOAD_DONE);
    CHECK(weft_load_step(l, 1) == WEFT_OK); /* and stays so */
    r = weft_load_report(l);
    CHECK(r.opened == 3 && r.opening_seconds > 0);
    CHECK(r.total == 20 && r.echoes == 20 && r.carried == 300);
    CHECK(r.seconds > 0 && r.rate > 0 && r.cpu > 0);
    CHECK(r.p50 > 0 && r.p50 <= r.p99 && r.p999 <= r.max);
    CHECK(r.tls_version[0] == '\0' && r.deflate[0] == '\0');
    weft_load_free(l);
}

static void
goes_by_time(const struct server *v)
{
    struct weft_load_plan plan = plan_for(v);
    enum weft_load_phase phase = WEFT_LOAD_OPENING;
    struct weft_load *l;
    int phases = 0;

    plan.messages = 0;
    plan.warmup = plan.seconds = 0.02;
    l = new_load(&plan);
    while (weft_load_step(l, 0.001) == WEFT_MORE) {
        CHECK(weft_load_phase(l) == phase
              || weft_load_phase(l) == phase + 1);
        phases += weft_load_phase(l) != phase;
        phase = weft_load_phase(l);
    }
    CHECK(phases >= 3 && weft_load_phase(l) == WEFT_LOAD_DONE);
    CHECK(weft_load_report(l).seconds >= 0.02);
    CHECK(weft_load_report(l).echoes < weft_load_report(l).total);
    weft_load_free(l);
}

static void
ends_in_any_phase(const struct server *v)
{
    struct weft_load_plan plan = plan_for(v);

    plan.messages = 0;
    plan.warmup = plan.seconds = 0.01;
    for (int phase = WEFT_LOAD_OPENING; phase <= WEFT_LOAD_DONE; phase++) {
        struct weft_load *l = new_load(&plan);

        while (weft_load_phase(l) < (enum weft_load_phase)phase)
            CHECK(weft_load_step(l, 1) >= 0);
        weft_load_free(l);
    }
    weft_load_free(NULL);
}

static void
measures_broadcasts(void)
{
    struct server v = server_start(BROADCAST, false);
    struct weft_load_plan plan = plan_for(&v);
    struct weft_load *l;

    plan.broadcast = true;
    for (plan.connections = 1; plan.connections < 6; plan.connections += 2) {
        l = new_load(&plan);
        CHECK(run(l) == WEFT_OK);
        CHECK(weft_load_report(l).echoes == 20u * plan.connections);
        CHECK(weft_load_report(l).p50 > 0);
        weft_load_free(l);
    }
    plan.broadcast = false; /* then most of it is no echo */
    plan.connections = 3;
    l = new_load(&plan);
    CHECK(run(l) == WEFT_E_CLOSED && weft_load_why(l)[0] != '\0');
    CHECK(weft_load_step(l, 1) == WEFT_E_CLOSED);
    weft_load_free(l);
    server_end(&v);
}

/* What comes to one member alone is no broadcast. */
static void
misses_members(const struct server *echo)
{
    struct weft_load_plan plan = plan_for(echo);
    struct weft_load *l;

    plan.broadcast = true;
    plan.patience = 0.3;
    l = new_load(&plan);
    CHECK(run(l) == WEFT_E_CLOSED);
    CHECK(strstr(weft_load_why(l), "no echo for 0.3 seconds") != NULL);
    weft_load_free(l);
}

static void
says_what_failed(void)
{
    struct server v = server_start(SILENT, false);
    struct weft_load_plan plan = plan_for(&v);
    struct weft_load *l;

    plan.patience = 0.05;
    l = new_load(&plan);
    CHECK(run(l) == WEFT_E_CLOSED);
    CHECK(strstr(weft_load_why(l), "does not echo") != NULL);
    CHECK(weft_load_report(l).total == 0);
    weft_load_free(l);
    server_end(&v);

    l = new_load(&plan); /* nobody listens there any more */
    CHECK(run(l) == WEFT_E_CLOSED);
    CHECK(strcmp(weft_load_why(l),
                 "connection 1 of 3: connection refused") == 0);
    weft_load_free(l);
}

static void
is_secure(void)
{
    char why[WEFT_LOAD_WHY];
    struct server v = server_start(ECHO, true);
    struct weft_load_plan plan = plan_for(&v);
    struct weft_load *l;

    plan.to.tls = weft_load_tls(false, NULL, why);
    plan.size = 30000; /* more than a record */
    l = new_load(&plan);
    CHECK(run(l) == WEFT_OK);
    CHECK(strcmp(weft_load_report(l).tls_version, "TLSv1.3") == 0);
    weft_load_free(l);
    weft_tls_context_release(plan.to.tls);

    plan.to.tls = weft_load_tls(true, NULL, why);
    l = new_load(&plan);
    CHECK(run(l) == WEFT_E_CLOSED);
    CHECK(strstr(weft_load_why(l), "certificate") != NULL);
    weft_load_free(l);
    weft_tls_context_release(plan.to.tls);
    CHECK(weft_load_tls(true, "/nowhere", why) == NULL);
    CHECK(strstr(why, "/nowhere") != NULL);
    server_end(&v);
}

static void
is_compressed(const struct server *v)
{
    struct weft_load_plan plan = plan_for(v);
    struct weft_load *l;

    if (!weft_deflate_available())
        return;
    plan.to.deflate = weft_load_deflate();
    plan.size = 4000;
    l = new_load(&plan);
    CHECK(run(l) == WEFT_OK);
    CHECK(weft_load_report(l).carried < 4000);
    CHECK(strstr(weft_load_report(l).deflate, "permessage-deflate") != NULL);
    weft_load_free(l);
}

int
main(void)
{
    struct server v = server_start(ECHO, false);

    counts_messages(&v);
    goes_by_time(&v);
    ends_in_any_phase(&v);
    misses_members(&v);
    is_compressed(&v);
    server_end(&v);
    measures_broadcasts();
    says_what_failed();
    is_secure();
    return check_report();
}
