// A node of HashiCorp's memberlist library, told what to do by lines on stdin; what happens to it goes to stdout, one
// JSON object a line. test/gossip/gossip-node.ts is the same with our library. The commands are described in
// e2e/harness/gossip-node.ts, which speaks to both.
//
// It builds with any version of the library: settings that came later are looked up by name.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

type fields map[string]interface{}

var stdout sync.Mutex

func report(event string, more fields) {
	if more == nil {
		more = fields{}
	}
	more["event"] = event
	line, err := json.Marshal(more)
	if err != nil {
		log.Fatal(err)
	}
	stdout.Lock()
	defer stdout.Unlock()
	fmt.Printf("%s\n", line)
}

// What the library asks of, and tells to, the application on it.
type application struct {
	mutex sync.Mutex
	meta  string
	state string
}

func (a *application) set(field *string, value string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	*field = value
}

func (a *application) get(field *string) []byte {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return []byte(*field)
}

func (a *application) NodeMeta(limit int) []byte                  { return a.get(&a.meta) }
func (a *application) LocalState(join bool) []byte                { return a.get(&a.state) }
func (a *application) GetBroadcasts(overhead, limit int) [][]byte { return nil }
func (a *application) NotifyMsg(message []byte)                   { report("message", fields{"text": shown(message)}) }
func (a *application) MergeRemoteState(state []byte, join bool) {
	report("state", fields{"text": shown(state)})
}

func (a *application) NotifyJoin(node *memberlist.Node)   { report("member-joined", about(node)) }
func (a *application) NotifyUpdate(node *memberlist.Node) { report("member-updated", about(node)) }
func (a *application) NotifyLeave(node *memberlist.Node)  { report("member-gone", about(node)) }

func (a *application) AckPayload() []byte { return nil }
func (a *application) NotifyPingComplete(node *memberlist.Node, took time.Duration, payload []byte) {
	report("probed", about(node))
}

// Long texts by their checksum.
func shown(text []byte) string {
	if len(text) <= 200 {
		return string(text)
	}
	return fmt.Sprintf("%d bytes, CRC-32 %d", len(text), crc32.ChecksumIEEE(text))
}

func about(node *memberlist.Node) fields {
	return fields{"node": node.Name, "meta": string(node.Meta)}
}

func main() {
	name := flag.String("name", "go", "name of the node")
	port := flag.Int("port", 0, "port on 127.0.0.1")
	label := flag.String("label", "", "cluster label")
	key := flag.String("key", "", "AES key, hexadecimal")
	compress := flag.Bool("compress", false, "compress what is sent")
	flag.Parse()

	app := &application{meta: "meta of " + *name, state: "state of " + *name}
	config := memberlist.DefaultLANConfig()
	config.Name = *name
	config.BindAddr = "127.0.0.1"
	config.BindPort = *port
	config.AdvertiseAddr = "127.0.0.1"
	config.AdvertisePort = *port
	config.ProbeInterval = 500 * time.Millisecond
	config.ProbeTimeout = 250 * time.Millisecond
	config.GossipInterval = 50 * time.Millisecond
	config.PushPullInterval = time.Second
	config.EnableCompression = *compress
	config.Delegate = app
	config.Events = app
	config.Ping = app
	config.LogOutput = io.Discard
	if os.Getenv("VERBOSE") != "" {
		config.LogOutput = os.Stderr
	}
	if *key != "" {
		bytes, err := hex.DecodeString(*key)
		if err != nil {
			log.Fatal(err)
		}
		config.SecretKey = bytes
	}
	if *label != "" {
		field := reflect.ValueOf(config).Elem().FieldByName("Label")
		if !field.IsValid() {
			log.Fatal("this version of memberlist has no labels")
		}
		field.SetString(*label)
	}
	list, err := memberlist.Create(config)
	if err != nil {
		log.Fatal(err)
	}
	report("ready", nil)

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		command, rest := cut(lines.Text())
		if err := obey(list, app, command, rest); err != nil {
			report("error", fields{"text": err.Error()})
		}
	}
	// The test is gone.
	os.Exit(0)
}

func obey(list *memberlist.Memberlist, app *application, command, rest string) error {
	switch command {
	case "join":
		count, err := list.Join([]string{rest})
		report("join-done", fields{"count": count})
		return err
	case "members":
		names := []string{}
		for _, node := range list.Members() {
			names = append(names, node.Name)
		}
		report("members", fields{"names": names, "health": list.GetHealthScore()})
	case "meta":
		app.set(&app.meta, rest)
		return list.UpdateNode(5 * time.Second)
	case "state":
		app.set(&app.state, rest)
	case "packet", "stream":
		to, text := cut(rest)
		return send(list, command, to, text)
	case "leave":
		err := list.Leave(5 * time.Second)
		report("leave-done", nil)
		return err
	default:
		return fmt.Errorf("no such command: %s", command)
	}
	return nil
}

func send(list *memberlist.Memberlist, how, to, text string) error {
	for _, node := range list.Members() {
		if node.Name != to {
			continue
		}
		if how == "packet" {
			return list.SendBestEffort(node, []byte(text))
		}
		return list.SendReliable(node, []byte(text))
	}
	return fmt.Errorf("no member %s", to)
}

func cut(text string) (string, string) {
	parts := strings.SplitN(text, " ", 2)
	return parts[0], strings.Join(parts[1:], " ")
}
