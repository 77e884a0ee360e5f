package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func ask(t *testing.T, path string) (int, string) {
	t.Helper()
	noon := func() time.Time { return time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC) }
	recorder := httptest.NewRecorder()
	newHandler("abc123", noon).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder.Code, strings.TrimSpace(recorder.Body.String())
}

func TestAnswers(t *testing.T) {
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/":                  {http.StatusOK, `{"time":"2024-07-01T12:00:00Z","zone":"UTC"}`},
		"/?zone=Asia/Tokyo":  {http.StatusOK, `{"time":"2024-07-01T21:00:00+09:00","zone":"Asia/Tokyo"}`},
		"/?zone=Middle/Ages": {http.StatusBadRequest, `{"error":"no such zone: Middle/Ages"}`},
		"/?zone=Local":       {http.StatusBadRequest, `{"error":"no such zone: Local"}`},
		"/version":           {http.StatusOK, `{"commit":"abc123"}`},
		"/healthz":           {http.StatusOK, `{"status":"ok"}`},
		"/elsewhere":         {http.StatusNotFound, "404 page not found"},
	} {
		if status, body := ask(t, path); status != want.status || body != want.body {
			t.Errorf("%s: %d %s, not %d %s", path, status, body, want.status, want.body)
		}
	}
}

func TestHealthcheckFailsWithTheService(t *testing.T) {
	server := httptest.NewServer(newHandler("abc123", time.Now))
	if err := healthcheck(server.URL + "/healthz"); err != nil {
		t.Errorf("a service that is well: %v", err)
	}
	if healthcheck(server.URL+"/elsewhere") == nil {
		t.Error("another answer than 200 counts as well")
	}
	server.Close()
	if healthcheck(server.URL+"/healthz") == nil {
		t.Error("no answer counts as well")
	}
}
