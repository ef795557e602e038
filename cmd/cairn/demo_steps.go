package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cairn"
	"cairn/cmd/cairn/render"
)

const (
	customers     = 100_000
	fleetFile     = "fleet.yaml"
	customersFile = "customers.csv"
	basketFile    = "basket.txt"
	// aCustomer is the one that the tour looks at.
	aCustomer = "c-00017"
)

func (t *tour) introduce() {
	t.say(`Cairn answers one question for data services: where does key K live? A top-level index maps keys to database
		clusters, a node index in each cluster maps them to nodes. This tour starts all of it in one process, and every
		command below is carried out for real.`)
}

func (t *tour) declare(ctx context.Context) error {
	t.title("Declare a keyspace, three clusters and a view")
	t.say(`A keyspace is a set of keys with typed attributes. Clusters have nodes. They are declared in YAML:`)
	if err := os.WriteFile(filepath.Join(t.dir, fleetFile), []byte(demoManifest), 0o600); err != nil {
		return err
	}
	fmt.Fprintln(t.out, "  $ cat "+fleetFile)
	t.indented(demoManifest, 16)
	if err := t.show(ctx, "apply -f "+fleetFile, 0); err != nil {
		return err
	}
	t.say(`Its first 12 shards, ranges of the hash of the key, were spread over the clusters:`)
	return t.show(ctx, "shards customers", 5)
}

func (t *tour) load(ctx context.Context) error {
	t.title("Load " + render.Count(customers) + " customers")
	if err := t.writeCustomers(); err != nil {
		return err
	}
	t.say(`Each row becomes an entry. The file names no nodes, so each cluster chooses one for each new key, by the
		weights of its nodes (west-c has twice the weight of the others), and remembers it.`)
	if err := t.show(ctx, "import customers "+customersFile+" --key id", 0); err != nil {
		return err
	}
	return t.show(ctx, "get cluster west", 0)
}

// writeCustomers makes up customers, the same ones each time.
func (t *tour) writeCustomers() error {
	file, err := os.Create(filepath.Join(t.dir, customersFile))
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(7, 600))
	countries := []string{"DE", "DE", "DE", "FR", "FR", "IT", "US", "US", "US", "US", "JP"}
	plans := []string{"free", "free", "free", "free", "plus", "plus", "gold"}
	out := bufio.NewWriter(file)
	fmt.Fprintln(out, "id,country,plan,balance")
	for i := range customers {
		fmt.Fprintf(out, "c-%05d,%s,%s,%d\n", i, countries[random.IntN(len(countries))], plans[random.IntN(len(plans))], random.IntN(20_000)-2_000)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return file.Close()
}

func (t *tour) locate(ctx context.Context) error {
	t.title("Where does a key live?")
	t.say(`The answer names cluster, node and address, and carries the entry's attributes along:`)
	return t.show(ctx, "locate customers "+aCustomer+" c-31415 c-99999", 0)
}

func (t *tour) group(ctx context.Context) error {
	t.title("Where do 5,000 keys live, node by node?")
	var basket []byte
	for i := range 5000 {
		basket = fmt.Appendf(basket, "c-%05d\n", i*17%customers)
	}
	if err := os.WriteFile(filepath.Join(t.dir, basketFile), basket, 0o600); err != nil {
		return err
	}
	t.say(`A service that has many keys to fetch asks once and gets them by node. The router asks the clusters in
		parallel, with one request each.`)
	began := time.Now()
	if err := t.show(ctx, "locate customers - --by-node < "+basketFile, 0); err != nil {
		return err
	}
	t.say(fmt.Sprintf("That took %s, the printing included.", render.Duration(time.Since(began))))
	return nil
}

func (t *tour) view(ctx context.Context) error {
	t.title("Which keys look like this?")
	t.say(`A view is a filter and an order over the entries of a keyspace. Each cluster keeps it as bitmaps over its own
		entries, up to date with every write; no entry is stored twice. This one is in ` + fleetFile + ` too:`)
	t.indented(demoManifest[strings.LastIndex(demoManifest, "kind: View"):], 0)
	if err := t.built(ctx, "rich"); err != nil {
		return err
	}
	t.say(`A page of it, merged from the three clusters. The cursor of the next page is all that there is of its state:`)
	if err := t.show(ctx, "query rich --limit 5", 0); err != nil {
		return err
	}
	t.say(`Any condition narrows it. Each cluster chooses how to find the first rows, by what it expects that to cost:`)
	if err := t.show(ctx, `query rich --where 'country == "JP"' --limit 3 --explain`, 0); err != nil {
		return err
	}
	t.say(`Counts are exact, over all clusters:`)
	if err := t.show(ctx, "query rich --count", 0); err != nil {
		return err
	}
	if err := t.show(ctx, "query rich --group-by country --top 3", 0); err != nil {
		return err
	}
	t.say(`Why is a customer not in it?`)
	return t.show(ctx, "explain --view rich "+aCustomer, 0)
}

// built waits until every cluster has built a view, which takes less time than
// the import that came before.
func (t *tour) built(ctx context.Context, view string) error {
	for {
		document, err := quietly[viewDocument](ctx, t, "get view "+view)
		if err != nil || document.ServingVersion > 0 {
			return err
		}
		if sleep(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (t *tour) explain(ctx context.Context) error {
	t.title("Why there?")
	t.say(`Explain follows a key from layer to layer: its placement key, its shard, the cluster that owns it, the node
		index that answered, how fresh the answer is, and what each layer took:`)
	if err := t.show(ctx, "explain customers "+aCustomer, 0); err != nil {
		return err
	}
	explained, err := quietly[struct {
		Shard cairn.ShardID `json:"shard"`
	}](ctx, t, "explain customers "+aCustomer)
	t.shard = fmt.Sprintf("customers/%d", explained.Shard)
	return err
}

func (t *tour) split(ctx context.Context) error {
	t.title("Split a shard while it is in use")
	t.say(`A shard is the unit of ownership. Splitting one is a single transaction in etcd: no entry moves, nobody waits,
		and both halves get a new epoch, by which every answer is checked:`)
	if err := t.show(ctx, "shards split "+t.shard, 0); err != nil {
		return err
	}
	t.say(`The customer is where it was:`)
	return t.show(ctx, "locate customers "+aCustomer+" --linearizable", 0)
}

func (t *tour) watch(ctx context.Context) error {
	t.title("Watch what changes")
	t.say(`A watch prints every change to a keyspace, whichever cluster it happens in, with what it was before. This one
		runs beside the writes that follow it:`)
	watched, err := t.beside(ctx, "watch customers --limit 3")
	if err != nil {
		return err
	}
	for _, line := range []string{
		"put customers " + aCustomer + " --merge --set plan=plus", "put customers c-new --set country=NZ", "rm customers c-31415",
	} {
		if err := t.show(ctx, line, 0); err != nil {
			return err
		}
	}
	t.say(`And the watch has seen:`)
	output, err := watched()
	t.indented(output, 0)
	return err
}

func (t *tour) conclude(took time.Duration) {
	t.title("That was the tour")
	t.say(fmt.Sprintf(`It took %s. Its stack and its files are gone. For a stack that stays:`,
		render.Duration(took)))
	t.indented("cairn dev --data ./stack\ncairn --help        in another shell: the commands above and others", 0)
}
