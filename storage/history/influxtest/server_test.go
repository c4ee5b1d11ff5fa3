package influxtest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"gengfu/storage/history/influxtest"
)

func TestStart(t *testing.T) {
	url, token, bucket := influxtest.Start(t)
	write := func(token string) (status int, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v2/write?bucket="+bucket, strings.NewReader("m f=1 1"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Token "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // it was only read
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if got, body := write(token); got != http.StatusNoContent {
		t.Errorf("a write with the token gave %d: %s", got, body)
	}
	if got, body := write("nobody:nothing"); got != http.StatusUnauthorized {
		t.Errorf("a write with another token gave %d: %s", got, body)
	}
}
