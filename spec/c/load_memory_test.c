/*
 * Loads when memory runs out: each is run with the first allocation failing,
 * then the second, and so on until none fails.  Each has to end with a
 * sentence, and everything is given back.
 */
#include "failing_mem.h"
#include "load_kit.h"

/* Whether it came to its end; if not, it says why. */
static bool
run(const struct weft_load_plan *plan)
{
    char why[WEFT_LOAD_WHY] = "";
    struct weft_load *l = weft_load_new(plan, why);
    enum weft_status rc = WEFT_MORE;

    if (l == NULL) {
        CHECK(why[0] != '\0');
        return false;
    }
    while (rc == WEFT_MORE)
        rc = weft_load_step(l, 1);
    CHECK((rc == WEFT_OK) == (weft_load_why(l)[0] == '\0'));
    CHECK(rc != WEFT_OK || weft_load_report(l).total
          == plan->messages * (plan->broadcast ? plan->connections : 1));
    weft_load_free(l);
    return rc == WEFT_OK;
}

/* The same with a context of its own, which keeps sessions. */
static bool
run_secure(struct weft_load_plan plan)
{
    char why[WEFT_LOAD_WHY] = "";
    bool done;

    plan.to.tls = weft_load_tls(false, NULL, why);
    if (plan.to.tls == NULL) {
        CHECK(why[0] != '\0');
        return false;
    }
    done = run(&plan);
    weft_tls_context_release(plan.to.tls);
    return done;
}

static void
play(const struct weft_load_plan *plan, bool tls)
{
    long before = unfreed, n = 0;
    bool done = false;

    while (!done && n < 2000) {
        allocations = 0;
        failing = n++;
        done = (tls ? run_secure(*plan) : run(plan)) && failing >= allocations;
        failing = -1;
        CHECK(unfreed == before);
    }
    CHECK(n > 10 && n < 2000);
}

int
main(void)
{
    struct server v = server_start(ECHO, false);
    struct weft_load_plan plan = plan_for(&v);

    play(&plan, false);
    if (weft_deflate_available()) {
        plan.to.deflate = weft_load_deflate();
        play(&plan, false);
    }
    server_end(&v);

    v = server_start(BROADCAST, false);
    plan = plan_for(&v);
    plan.broadcast = true;
    play(&plan, false);
    server_end(&v);

    v = server_start(ECHO, true);
    plan = plan_for(&v);
    play(&plan, true);
    server_end(&v);
    return check_report();
}
