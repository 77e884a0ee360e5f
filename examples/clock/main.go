// Clock tells the time in any zone, over HTTP: a small service for an image with nothing else in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	headerTimeout = 5 * time.Second
	checkTimeout  = 3 * time.Second
	graceTimeout  = 20 * time.Second // below the task's stop timeout
)

var commit = "unknown" // set by the linker

func main() {
	check := flag.Bool("healthcheck", false, "ask the service in this container how it is; exit 1 unless well")
	version := flag.Bool("version", false, "print the commit and exit")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unknown: %q", flag.Args())
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	switch {
	case *version:
		fmt.Println(commit)
	case *check:
		end(healthcheck("http://127.0.0.1:" + port + "/healthz"))
	default:
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		end(serve(ctx, ":"+port))
	}
}

func end(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// healthcheck is for ECS: a container without a shell and curl has only its own program to run.
func healthcheck(url string) error {
	client := http.Client{Timeout: checkTimeout}
	answered, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answered.Body.Close()
	if answered.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answered.Status)
	}
	return nil
}

// serve answers until ctx is done, and then finishes what it has.
func serve(ctx context.Context, address string) error {
	handler := newHandler(commit, time.Now)
	server := http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: headerTimeout}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		log.Print("stopping: finishing the requests that are under way")
		grace, cancel := context.WithTimeout(context.Background(), graceTimeout)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	log.Printf("clock %s answers on %s", commit, address)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
