/*
 * The system's declarations of socket addresses, of their text and their zones,
 * and of what poll(2) takes: they stand in other headers on other systems.
 */
#ifndef WEFT_BASE_INET_H
#define WEFT_BASE_INET_H

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#include <afunix.h>
#include <iphlpapi.h>
#else
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#endif
