package influx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	api "github.com/influxdata/influxdb-client-go/v2/api/http"

	"gengfu/storage/history"
)

// refusal is the server's answer that some of the rows in a request are wrong.
type refusal struct {
	message string
	dropped int  // points, as the server counts them; 0 when it does not say
	tooLong bool // the request has more bytes than the server takes
}

func (r *refusal) Error() string { return r.message }

// classify gives an error of the client the type that says what the caller does
// next. Of an answer with status 400 only what the server says about rows makes a
// refusal: a wrong bucket must not put good readings aside.
func classify(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", err, ctx.Err())
	}
	var temporary *history.TemporaryError
	var configuration *history.ConfigurationError
	if errors.As(err, &temporary) || errors.As(err, &configuration) {
		return err
	}
	var answer *api.Error
	if !errors.As(err, &answer) || answer.StatusCode == 0 {
		if certificate(err) {
			return &history.ConfigurationError{Err: err}
		}
		return &history.TemporaryError{Err: err}
	}
	message := strings.TrimSpace(answer.Message)
	err = fmt.Errorf("status %d: %s", answer.StatusCode, message)
	switch code := answer.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return &history.TemporaryError{Err: err, RetryAfter: time.Duration(answer.RetryAfter) * time.Second}
	case code == http.StatusRequestEntityTooLarge:
		return &refusal{message: "the server takes no request that long", tooLong: true}
	case code == http.StatusUnprocessableEntity,
		code == http.StatusBadRequest && (strings.Contains(message, "partial write") || strings.Contains(message, "unable to parse")):
		return &refusal{message: message, dropped: dropped(message)}
	}
	return &history.ConfigurationError{Err: err}
}

// dropped reads the number behind "dropped=" in a message.
func dropped(message string) (n int) {
	_, after, ok := strings.Cut(message, "dropped=")
	if !ok {
		return 0
	}
	if _, err := fmt.Sscanf(after, "%d", &n); err != nil {
		return 0
	}
	return n
}

func certificate(err error) bool {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	return errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &verification)
}
