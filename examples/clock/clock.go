package main

import (
	"encoding/json"
	"net/http"
	"time"
	_ "time/tzdata" // an empty image has no zones
)

// newHandler returns what the service answers; now is the clock that it reads.
func newHandler(commit string, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { tell(w, r, now()) })
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"commit": commit})
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	return mux
}

// tell answers what time it is in the zone that was asked for, else in UTC.
func tell(w http.ResponseWriter, r *http.Request, now time.Time) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	name := r.URL.Query().Get("zone")
	if name == "" {
		name = "UTC"
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		answer(w, http.StatusBadRequest, map[string]string{"error": "no such zone: " + name})
		return
	}
	answer(w, http.StatusOK, map[string]string{"zone": name, "time": now.In(zone).Format(time.RFC3339)})
}

func answer(w http.ResponseWriter, status int, document map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // whoever asked may be gone
}
