// An echo server on gws, as its documentation writes one: messages up to
// 16 MiB, no compression.
//
//	gws PORT        on 127.0.0.1, until a signal comes
//
// With CERT and KEY in the environment, names of PEM files: over TLS.  With
// MODE=broadcast: what a member says goes to all, itself included.
package main

import (
	"log"
	"net"
	"os"

	"github.com/lxzan/gws"
)

type echo struct{ gws.BuiltinEventHandler }

func (echo) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	_ = socket.WriteMessage(message.Opcode, message.Bytes())
}

type room struct {
	gws.BuiltinEventHandler
	members *gws.ConcurrentMap[*gws.Conn, struct{}]
}

func (r room) OnOpen(socket *gws.Conn) {
	r.members.Store(socket, struct{}{})
}

func (r room) OnClose(socket *gws.Conn, _ error) {
	r.members.Delete(socket)
}

func (r room) OnMessage(_ *gws.Conn, message *gws.Message) {
	defer message.Close()
	broadcaster := gws.NewBroadcaster(message.Opcode, message.Bytes())
	defer broadcaster.Close()
	r.members.Range(func(member *gws.Conn, _ struct{}) bool {
		_ = broadcaster.Broadcast(member)
		return true
	})
}

func main() {
	var handler gws.Event = echo{}
	if os.Getenv("MODE") == "broadcast" {
		handler = room{members: gws.NewConcurrentMap[*gws.Conn, struct{}]()}
	}
	server := gws.NewServer(handler, &gws.ServerOption{ReadMaxPayloadSize: 16 << 20})
	server.OnError = func(_ net.Conn, _ error) {}
	address := "127.0.0.1:" + os.Args[len(os.Args)-1]
	if cert := os.Getenv("CERT"); cert != "" {
		log.Fatal(server.RunTLS(address, cert, os.Getenv("KEY")))
	}
	log.Fatal(server.Run(address))
}
