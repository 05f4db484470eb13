// The baseline of another kind: a net/http server that parses a review and allows it.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
)

type review struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Request    map[string]any `json:"request,omitempty"`
	Response   *response      `json:"response,omitempty"`
}

type response struct {
	UID     any  `json:"uid"`
	Allowed bool `json:"allowed"`
}

func validate(w http.ResponseWriter, r *http.Request) {
	var asked review
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answer := review{APIVersion: asked.APIVersion, Kind: asked.Kind, Response: &response{UID: asked.Request["uid"], Allowed: true}}
	_ = json.NewEncoder(w).Encode(answer)
}

func main() {
	http.HandleFunc("/validate", validate)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("https://%s/validate\n", listener.Addr())
	// An API server speaks HTTP/1.1 to a Service, and HTTP/2 only to a loopback URL.
	server := &http.Server{TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	panic(server.ServeTLS(listener, os.Args[1], os.Args[2]))
}
