package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/keyring"
	"github.com/sessiongate/sessiongate/internal/doctor"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "token",
		Short: "Says what a token holds and whether it verifies",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "token inspect TOKEN"
			cmd.Long = "\nTools for the JWTs that sessions travel with."
			group(cmd, tokenInspect())
		},
	})
}

func tokenInspect() *cobra.Command {
	var data, issuer string
	cmd := &cobra.Command{
		Use:   "inspect TOKEN [--data DIR] [--issuer URL]",
		Short: "Prints a token's header and claims, and whether it verifies",
		Long: `
Prints what a launch or session token says, and checks its signature and times
with the keys in the data folder, or with those that --issuer publishes. A launch
link will do: it is not opened.

Give "-" to read the token from standard input, which keeps it out of the
shell's history. Ends with 0 if the token verifies now, with 1 if not. Whether
its session still runs, only the session service knows.`,
	}
	dataFlag(cmd, &data)
	cmd.Flags().StringVar(&issuer, "issuer", "", "fetch the public keys from this session service")
	fromEnvironment(cmd, "issuer")
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		raw := args[0]
		if raw == "-" {
			body, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 2*token.MaxSize))
			if err != nil {
				return failed(cmd, err)
			}
			raw = string(body)
		}
		return failed(cmd, inspect(cmd.Context(), cmd.OutOrStdout(), strings.TrimSpace(raw), data, issuer))
	}
	return cmd
}

// inspect prints raw and returns why it does not verify.
func inspect(ctx context.Context, out io.Writer, raw, data, issuer string) error {
	if strings.Contains(raw, "://") {
		var err error
		if raw, err = doctor.SessionToken(raw); err != nil {
			return err
		}
	}
	parts := strings.Split(raw, ".")
	if len(raw) > token.MaxSize || len(parts) != 3 {
		return errors.New("this is no JWT: three parts with dots between are expected, or a launch link")
	}
	for i, name := range []string{"header", "claims"} {
		body, err := base64.RawURLEncoding.DecodeString(parts[i])
		var v map[string]any
		if err != nil || json.Unmarshal(body, &v) != nil {
			return fmt.Errorf("this is no JWT: its %s cannot be read", name)
		}
		fmt.Fprintf(out, "%s\n", name)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(out, "  %-17s %s\n", key, readable(key, v[key]))
		}
	}
	keys, from, err := inspectionKeys(ctx, data, issuer)
	if err != nil {
		return fmt.Errorf("the signature was not checked: %w", err)
	}
	v := token.Verifier{Keys: keys}
	_, err = v.Verify(ctx, raw, token.Expect{Kinds: []token.Kind{token.Launch, token.Session, token.Assertion}, Now: time.Now()})
	if err != nil {
		return fmt.Errorf("does not verify with the keys of %s: %w", from, err)
	}
	fmt.Fprintf(out, "verifies with the keys of %s\n", from)
	return nil
}

func inspectionKeys(ctx context.Context, data, issuer string) (keys token.Keys, from string, err error) {
	if issuer != "" {
		client := &http.Client{Timeout: 10 * time.Second}
		return token.NewRemoteKeys(strings.TrimSuffix(issuer, "/")+protocol.JWKS, client, time.Now), issuer, nil
	}
	dir := backend.KeysDir(data)
	ring, err := keyring.Existing(ctx, keyring.Folder(dir), time.Now)
	if err != nil {
		return nil, "", fmt.Errorf("%w (--data or --issuer say where keys are)", err)
	}
	return ring, dir, nil
}

// readable is a claim's value, with times also as people write them.
func readable(name string, v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if n, ok := v.(float64); ok && (name == "exp" || name == "iat" || name == "nbf") {
		return fmt.Sprintf("%.0f (%s)", n, moment(int64(n)))
	}
	if s, ok := v.(string); ok && strings.IndexFunc(s, func(r rune) bool { return r < ' ' }) < 0 {
		return s
	}
	return string(body)
}
