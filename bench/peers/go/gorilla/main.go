// An echo server on gorilla/websocket, as its documentation writes one:
// messages up to 16 MiB, no compression.
//
//	gorilla PORT        on 127.0.0.1, until a signal comes
//
// With CERT and KEY in the environment, names of PEM files: over TLS.  With
// MODE=broadcast: what a member says goes to all, itself included; each has a
// goroutine that writes, so that a slow one does not hold up the others.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/gorilla/websocket"
)

const (
	most  = 16 << 20
	queue = 256 // messages that wait for one member
)

var upgrader = websocket.Upgrader{}

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetReadLimit(most)
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if err := conn.WriteMessage(kind, message); err != nil {
			return
		}
	}
}

type room struct {
	sync.Mutex
	members map[chan *websocket.PreparedMessage]struct{}
}

// say gives each member the message, and one that is too far behind the end.
func (r *room) say(message *websocket.PreparedMessage) {
	r.Lock()
	defer r.Unlock()
	for member := range r.members {
		select {
		case member <- message:
		default:
			r.remove(member)
		}
	}
}

// remove is called with the room locked.
func (r *room) remove(member chan *websocket.PreparedMessage) {
	if _, ok := r.members[member]; ok {
		delete(r.members, member)
		close(member)
	}
}

func write(conn *websocket.Conn, messages <-chan *websocket.PreparedMessage) {
	defer conn.Close()
	for message := range messages {
		if err := conn.WritePreparedMessage(message); err != nil {
			return
		}
	}
}

func (r *room) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	conn, err := upgrader.Upgrade(w, request, nil)
	if err != nil {
		return
	}
	conn.SetReadLimit(most)
	member := make(chan *websocket.PreparedMessage, queue)
	r.Lock()
	r.members[member] = struct{}{}
	r.Unlock()
	go write(conn, member)
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			break
		}
		prepared, err := websocket.NewPreparedMessage(kind, message)
		if err != nil {
			break
		}
		r.say(prepared)
	}
	r.Lock()
	r.remove(member)
	r.Unlock()
}

func main() {
	server := http.Server{
		Addr:     "127.0.0.1:" + os.Args[len(os.Args)-1],
		Handler:  http.HandlerFunc(echo),
		ErrorLog: log.New(io.Discard, "", 0), // TLS handshakes that end
	}
	if os.Getenv("MODE") == "broadcast" {
		server.Handler = &room{members: map[chan *websocket.PreparedMessage]struct{}{}}
	}
	if cert := os.Getenv("CERT"); cert != "" {
		log.Fatal(server.ListenAndServeTLS(cert, os.Getenv("KEY")))
	}
	log.Fatal(server.ListenAndServe())
}
