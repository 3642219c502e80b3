/*
 * The system's declarations of socket addresses, of their text and their zones,
 * which stand in other headers on every kind of system.
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
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#endif
