// Command etcd is etcd's own main function, built from its Go module: the test rig needs the binary and no download.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
