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
	caddycmd.RegisterCommand(ours(groupCheck, caddycmd.Command{
		Name:  "token",
		Short: "Inspect launch tokens and session tokens",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "token inspect TOKEN"
			cmd.Long = "\nTools for launch tokens and session tokens, which are JWTs."
			cmd.Example = "  sessiongate token inspect eyJhbGciOi… --issuer https://api.example.com"
			group(cmd, tokenInspect())
		},
	}))
}

func tokenInspect() *cobra.Command {
	var data, issuer string
	cmd := &cobra.Command{
		Use:   "inspect TOKEN",
		Short: "Print a token's header and claims, and verify it",
		Long: `
Prints the header and the claims of a launch token or session token, and verifies
its signature and times with the keys in the data folder or, with --issuer, with
the keys that the session service publishes. TOKEN may also be a launch link, which
is not opened, or "-" to read it from standard input, which keeps it out of the
shell history.

The command does not ask whether the session is still running.

Exit status: 0 if the token verifies now, 1 if it does not.`,
		Example: `  sessiongate token inspect "$LAUNCH_URL" --data /var/lib/sessiongate
  sessiongate token inspect - --issuer https://api.example.com < token.txt`,
	}
	dataFlag(cmd, &data)
	cmd.Flags().StringVar(&issuer, "issuer", "", "URL of the session service whose published keys verify the token (default the keys in --data)")
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

// inspect prints a token. It returns an error if the token does not verify.
func inspect(ctx context.Context, out io.Writer, raw, data, issuer string) error {
	if strings.Contains(raw, "://") {
		var err error
		if raw, err = doctor.SessionToken(raw); err != nil {
			return err
		}
	}
	parts := strings.Split(raw, ".")
	if len(raw) > token.MaxSize || len(parts) != 3 {
		return errors.New("not a JWT: expected three dot-separated parts, or a launch link")
	}
	for i, name := range []string{"header", "claims"} {
		body, err := base64.RawURLEncoding.DecodeString(parts[i])
		var v map[string]any
		if err != nil || json.Unmarshal(body, &v) != nil {
			return fmt.Errorf("not a JWT: its %s is not base64url-encoded JSON", name)
		}
		fmt.Fprintf(out, "%s\n", name)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(out, "  %-17s %s\n", key, readable(key, v[key]))
		}
	}
	keys, from, err := inspectionKeys(ctx, data, issuer)
	if err != nil {
		return fmt.Errorf("the signature was not verified: %w", err)
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
		return nil, "", fmt.Errorf("%w; say where the keys are with --data or --issuer", err)
	}
	return ring, dir, nil
}

// readable formats a claim's value. Times are also shown as dates.
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
