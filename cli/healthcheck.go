package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"latchkey/config"
)

// healthTimeout bounds the question; the server itself gives the database two seconds.
const healthTimeout = 5 * time.Second

func healthcheck() command {
	return command{
		name:    "healthcheck",
		summary: "Exit 0 when the server at the configured address is ready.",
		details: "It is ready when its database answers and has the newest schema version.",
		options: settings("LATCHKEY_ADDR"),
		run: func(ctx context.Context, env Environment, flags map[string]string) error {
			s, err := config.Load(env.Variables, flags, "LATCHKEY_ADDR")
			if err != nil {
				return err
			}
			return askReady(ctx, s.Addr)
		},
	}
}

// askReady asks the server that listens on the address whether it is ready.
func askReady(ctx context.Context, address string) error {
	if _, port, _ := net.SplitHostPort(address); port == "0" {
		return errors.New("LATCHKEY_ADDR: with port 0 the server chooses one, which is not known here; name it")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	base := baseURL(address)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("LATCHKEY_ADDR: %w", err)
	}
	// Directly: the server is near, and a proxy of the environment may not know of it.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("no server answers at %s; is `latchkey serve` running? (%w)", base, errors.Unwrap(err))
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server at %s is not ready: it answers %s; its log says why", base, response.Status)
	}
	return nil
}
