/*
 * The system's declarations of socket addresses and of their text,
 * and of what poll(2) takes: they stand in other headers on other systems.
 */
#ifndef WEFT_BASE_INET_H
#define WEFT_BASE_INET_H

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#include <afunix.h>

typedef SOCKET weft_socket; /* what struct pollfd holds */

#define WEFT_POLL_NAME "wsapoll"
#define EAI_SYSTEM (-1) /* which getaddrinfo() never says here */
#else
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef int weft_socket;

#define WEFT_POLL_NAME "poll"
#endif

#endif
