// Seed fills a database with a provider's past: sessions that were sold, used and
// settled over the last days, so that pages can be looked at and measured with as
// many rows as a busy year leaves behind.
//
//	go run ./e2e/seed --data DIR --provider prov_demo --sessions 100000 --days 365
//
// The database must not be in use. The session service counts the days by itself
// when it starts on it.
package main

import (
	"context"
	"database/sql"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/sessiongate/sessiongate/backend/store"
)

func main() {
	data := flag.String("data", "", "folder of sessiongate.db")
	provider := flag.String("provider", "prov_demo", "whose sessions")
	sessions := flag.Int("sessions", 1000, "how many")
	days := flag.Int("days", 90, "over so many days until now")
	flag.Parse()
	if *data == "" || *sessions < 1 || *days < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := seed(context.Background(), filepath.Join(*data, "sessiongate.db"), *provider, *sessions, *days); err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

func seed(ctx context.Context, file, provider string, sessions, days int) error {
	made, err := store.Open(ctx, "sqlite:"+file, nil) // with its schema
	if err != nil {
		return err
	}
	if err := made.Close(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := fill(ctx, tx, provider, sessions, days, time.Now()); err != nil {
		return err
	}
	return tx.Commit()
}

// fill adds the rows that sessions leave behind. The same arguments give the same
// rows: a picture of them can be compared.
func fill(ctx context.Context, tx *sql.Tx, provider string, sessions, days int, now time.Time) error {
	chance := rand.New(rand.NewPCG(1, uint64(sessions)))
	statement := func(text string) *sql.Stmt {
		s, err := tx.PrepareContext(ctx, text)
		if err != nil {
			panic("seed: " + err.Error()) // the schema changed: mend the statement
		}
		return s
	}
	sold := statement(`INSERT INTO sessions (id, user_id, provider_id, status, version, clock, tokens, duration_seconds, return_url, consent_url,
		terms, offer_used, created_at, launch_by, started_at, expires_at, paused_at, paused_seconds, pause_count, redemption_id, redeemed_at, due_at,
		ended_at, end_reason, captured, released, used_seconds)
		VALUES (?, ?, ?, ?, 3, 'creation', ?, ?, 'http://localhost/done', '', '{}', ?, ?, 0, ?, ?, 0, 0, 0, '', ?, 0, ?, ?, ?, ?, ?)`)
	event := statement(`INSERT INTO session_events (id, session_id, source, name, at_ms, props) VALUES (?, ?, 'session', ?, ?, ?)`)
	entry := statement(`INSERT INTO ledger_entries (id, kind, debit, credit, amount, user_id, provider_id, session_id, at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	more := statement(`INSERT INTO session_extensions (session_id, version, actor, seconds, tokens, created_at) VALUES (?, 2, 'user', 600, 2, ?)`)

	if _, err := tx.ExecContext(ctx, `INSERT INTO providers (id, name, created_at, updated_at) VALUES (?, 'Seeded', ?, ?) ON CONFLICT DO NOTHING`,
		provider, now.Unix(), now.Unix()); err != nil {
		return err
	}
	begin := now.AddDate(0, 0, -days)
	for i := range sessions {
		at := soldAt(float64(i)/float64(sessions), begin, now.Add(-time.Hour), chance)
		user := fmt.Sprintf("user_%d", chance.IntN(1+sessions/12))
		id := uuidAt(at, chance)
		length := int64([]int{600, 1800, 3600}[chance.IntN(3)])
		tokens := length / 300
		status, reason, used := "expired", "deadline", length
		entered := at.Unix() + int64(chance.IntN(30))
		switch chance.IntN(10) {
		case 0, 1, 2:
			status, reason, used = "completed", "user_ended", length*int64(1+chance.IntN(9))/10
		case 3:
			if chance.IntN(4) == 0 {
				status, reason, used, entered = "completed", "marketplace_ended", 0, 0
			}
		}
		captured, extended := tokens, int64(0)
		if used == 0 {
			captured = 0
		}
		if chance.IntN(8) == 0 && used > 0 {
			extended = 1
		}
		end := at.Unix() + max(used, 60)
		if _, err := sold.ExecContext(ctx, id, user, provider, status, tokens, length, extended, at.Unix(), entered, at.Unix()+length, entered,
			end, reason, captured, tokens-captured, used); err != nil {
			return fmt.Errorf("adding session: %w", err)
		}
		for _, e := range []struct {
			name  string
			at    int64
			props string
		}{{"created", at.Unix(), `{"status":"pending"}`}, {"ended", end, `{"status":"` + status + `","reason":"` + reason + `"}`}} {
			if _, err := event.ExecContext(ctx, uuidAt(time.Unix(e.at, 0), chance), id, e.name, e.at*1000, e.props); err != nil {
				return fmt.Errorf("adding event: %w", err)
			}
		}
		for _, e := range []struct {
			kind   string
			amount int64
			at     int64
		}{{"hold", tokens, at.Unix()}, {"capture", captured, end}, {"release", tokens - captured, end}} {
			if e.amount == 0 {
				continue
			}
			if _, err := entry.ExecContext(ctx, uuidAt(time.Unix(e.at, 0), chance), e.kind, "user:"+user, "provider:"+provider, e.amount, user, provider, id, e.at*1_000_000); err != nil {
				return fmt.Errorf("adding ledger entry: %w", err)
			}
		}
		if extended > 0 {
			if _, err := more.ExecContext(ctx, id, at.Unix()+60); err != nil {
				return fmt.Errorf("adding extension: %w", err)
			}
		}
	}
	// Every day is counted anew.
	_, err := tx.ExecContext(ctx, `DELETE FROM rollups`)
	return err
}

// soldAt is when a part of the sessions was sold, in [begin, end]: more of them lately, as
// in a shop that grows, and fewer on weekends.
func soldAt(part float64, begin, end time.Time, chance *rand.Rand) time.Time {
	at := begin.Add(time.Duration((part*0.5 + part*(2-part)*0.5) * float64(end.Sub(begin))))
	if wd := at.Weekday(); (wd == time.Saturday || wd == time.Sunday) && chance.IntN(3) > 0 {
		if earlier := at.Add(-48 * time.Hour); !earlier.Before(begin) {
			return earlier
		}
	}
	return at
}

// uuidAt is a UUIDv7 (RFC 9562) of a moment: the order of ids is that of time.
func uuidAt(at time.Time, chance *rand.Rand) string {
	var b [16]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	for i := 6; i < 16; i++ {
		b[i] = byte(chance.UintN(256))
	}
	b[6] = 0x70 | b[6]&0x0f
	b[8] = 0x80 | b[8]&0x3f
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
