// Command openid runs an OpenID provider for tests:
//
//	echo '{"client":{"id":"web","redirect":"http://127.0.0.1:1/cb"},"accounts":[]}' | go run ./e2e/openid
//
// It reads its client and its accounts from standard input, prints its issuer on
// the first line of standard output, and serves until standard input is closed.
// It is a program, and not a package, so that a test of another module can use
// it without a dependency on the library that it is built with.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// config is what the program reads.
type config struct {
	Client struct {
		ID       string `json:"id"`
		Secret   string `json:"secret"` // empty: a public client
		Redirect string `json:"redirect"`
	} `json:"client"`
	Accounts []struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Password string `json:"password"`
		Email    string `json:"email"`
		Verified bool   `json:"verified"`
	} `json:"accounts"`
}

// accounts is the users of the provider, by their id.
type accounts map[string]*storage.User

// GetUserByID implements [storage.UserStore].
func (a accounts) GetUserByID(id string) *storage.User { return a[id] }

// GetUserByUsername implements [storage.UserStore].
func (a accounts) GetUserByUsername(name string) *storage.User {
	for _, u := range a {
		if u.Username == name {
			return u
		}
	}
	return nil
}

// ExampleClientID implements [storage.UserStore].
func (a accounts) ExampleClientID() string { return "service" }

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	var c config
	if err := decoder.Decode(&c); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	client := storage.NativeClient(c.Client.ID, c.Client.Redirect)
	if c.Client.Secret != "" {
		client = storage.WebClient(c.Client.ID, c.Client.Secret, c.Client.Redirect)
	}
	users := make(accounts)
	for _, a := range c.Accounts {
		users[a.ID] = &storage.User{ID: a.ID, Username: a.Name, Password: a.Password, Email: a.Email, EmailVerified: a.Verified}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	issuer := "http://" + listener.Addr().String()
	store := storage.NewStorageWithClients(users, map[string]*storage.Client{client.GetID(): client})
	quiet := slog.New(slog.DiscardHandler)
	server := http.Server{Handler: exampleop.SetupServer(issuer, store, quiet, false, op.WithAllowInsecure(), op.WithLogger(quiet))}
	go func() {
		// Standard input ends when the test closes it, and also when the test is killed.
		_, _ = io.Copy(io.Discard, in)
		_ = server.Close()
	}()
	if _, err := fmt.Fprintln(out, issuer); err != nil {
		return fmt.Errorf("printing the issuer: %w", err)
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
