package capacity

import (
	"fmt"
	"io"
	"strconv"
)

// Write writes what is needed as Markdown.
func (n *Needs) Write(w io.Writer, d Demand, m Machine) {
	routers := "router processes"
	if d.Embedded {
		routers = "routers in the callers' processes"
	}
	fmt.Fprintf(w, "%s keys in %s clusters of %s replicas, %s locates/s in requests of %s and %s writes/s in requests of %s, %s;\n"+
		"machines of %s cores, %s GiB and a disk of %s MB/s, planned to %s%% of each:\n\n",
		count(d.Keys), count(d.Clusters), count(d.Replicas), count(d.Locates), count(d.LocateBatch), count(d.Writes), count(d.WriteBatch), routers,
		count(m.Cores), count(m.MemoryGiB), count(m.DiskMBs), count(100*m.Share))
	fmt.Fprint(w, "| what | how much |\n|---|---:|\n")
	row := func(what, format string, values ...any) {
		fmt.Fprintf(w, "| %s | %s |\n", what, fmt.Sprintf(format, values...))
	}
	row("entries of an index", "%s", count(n.EntriesAnIndex))
	row("memory of an index", "%.1f GiB", n.IndexBytes/gibibyte)
	row("what an index writes", "%.1f MB/s", n.WriteMBs)
	row("shards, and the map of them in each router", "%s, %.1f MiB", count(n.Shards), n.MapBytes/(1<<20))
	row("the map in etcd", "%.1f MiB", n.EtcdBytes/(1<<20))
	row("cores of all indexes", "%.0f", n.IndexCores)
	row("cores of all routers", "%.0f", n.RouterCores)
	row("machines with indexes", "%s, of %.1f replicas each", count(n.IndexMachines), n.ReplicasAMachine)
	if !d.Embedded {
		row("machines with routers", "%s", count(n.RouterMachines))
	}
	row("machines in all, three of etcd's among them", "**%s**", count(n.Machines()))
	fmt.Fprint(w, "\n| limit | used of it |\n|---|---:|\n")
	for _, l := range n.Limits {
		row(l.Name, "%.1f%%", 100*l.Share())
	}
}

// count is a whole number with commas between thousands.
func count(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
