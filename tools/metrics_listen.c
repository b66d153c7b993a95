/* The listener of neapd for Prometheus: the HTTP server of nng, which is there anyway. It shows
 * what the last look of the daemon saw, so that whoever asks costs the node nothing. */
#include <nng/nng.h>
#include <nng/supplemental/http/http.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tools/metrics.h"

struct metrics {
    nng_http_server *server;
    pthread_mutex_t lock;
    char *text; /* under the lock; NULL: nobody has looked yet */
    size_t size;
};

/* It says nothing of what is stored, but there is neither TLS nor rights: this machine alone. */
static int is_local(const char *address)
{
    static const char *const hosts[] = {"127.0.0.1:", "localhost:", "[::1]:"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t size = strlen(hosts[i]);

        if (strncmp(address, hosts[i], size) == 0 && address[size] &&
            strspn(address + size, "0123456789") == strlen(address + size))
            return 1;
    }
    return 0;
}

static int answer(struct metrics *metrics, nng_http_res *res)
{
    static const char type[] = "text/plain; version=0.0.4; charset=utf-8";
    int code;

    pthread_mutex_lock(&metrics->lock);
    code = metrics->text ? nng_http_res_copy_data(res, metrics->text, metrics->size)
                         : nng_http_res_set_status(res, NNG_HTTP_STATUS_SERVICE_UNAVAILABLE);
    pthread_mutex_unlock(&metrics->lock);
    return code ? code : nng_http_res_set_header(res, "Content-Type", type);
}

static void metrics_asked(nng_aio *aio)
{
    nng_http_handler *handler = nng_aio_get_input(aio, 1);
    nng_http_res *res = NULL;
    int code = nng_http_res_alloc(&res);

    if (code == 0)
        code = answer(nng_http_handler_get_data(handler), res);
    if (code == 0)
        nng_aio_set_output(aio, 0, res);
    else
        nng_http_res_free(res);
    nng_aio_finish(aio, code);
}

static int server_start(struct metrics *metrics, const char *address)
{
    nng_http_handler *handler = NULL;
    nng_url *url = NULL;
    char text[200];
    int code;

    snprintf(text, sizeof(text), "http://%s", address);
    code = nng_url_parse(&url, text);
    if (code == 0)
        code = nng_http_server_hold(&metrics->server, url);
    if (code == 0)
        code = nng_http_handler_alloc(&handler, "/metrics", metrics_asked);
    if (code == 0)
        code = nng_http_handler_set_data(handler, metrics, NULL);
    if (code == 0)
        code = nng_http_server_add_handler(metrics->server, handler);
    if (code && handler)
        nng_http_handler_free(handler);
    if (code == 0)
        code = nng_http_server_start(metrics->server);
    nng_url_free(url);
    return code;
}

struct metrics *metrics_listen(const char *address, const char **ret_why, int *ret_usage)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    int code;

    *ret_usage = !is_local(address);
    *ret_why = *ret_usage
                   ? "it wants 127.0.0.1:PORT, localhost:PORT or [::1]:PORT: there is neither "
                     "TLS nor a right to read there"
                   : "out of memory";
    if (metrics == NULL || *ret_usage) {
        free(metrics);
        return NULL;
    }
    pthread_mutex_init(&metrics->lock, NULL);
    code = server_start(metrics, address);
    if (code == 0)
        return metrics;
    *ret_why = nng_strerror(code);
    metrics_close(metrics);
    return NULL;
}

void metrics_set(struct metrics *metrics, json_t *stats)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        return;
    metrics_write(file, stats);
    if (fclose(file)) {
        free(text);
        return;
    }
    pthread_mutex_lock(&metrics->lock);
    free(metrics->text);
    metrics->text = text;
    metrics->size = size;
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_close(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    if (metrics->server) {
        nng_http_server_stop(metrics->server);
        nng_http_server_release(metrics->server);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics->text);
    free(metrics);
}
