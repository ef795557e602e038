// A tour of Cairn's API from Node.js: put, locate, batch, stream, views, delete.
//
//   cairn dev --data /tmp/cairn &
//   cairn apply -f manifest.yaml
//   node main.js [ADDRESS]
//
// It says what it does and exits with 1 at the first answer that is not as it
// should be.

import assert from "node:assert/strict";

import { connect } from "./cairn.js";

const address = process.argv[2] ?? process.env.CAIRN_ADDR ?? "127.0.0.1:7600";
const keyspace = "keyspaces/orders";
const cairn = connect(address);

// An order's key begins with its customer: what stands before the colon is
// its affinity part, so a customer's orders are in one cluster.
const order = (customer, number) => Buffer.from(`customer-${customer}:order-${number}`);

// node is what an answer calls a position in its list of nodes.
const node = (answer, location) => answer.nodes[location.primary];

async function putAndLocate() {
  const key = order(7, 1);
  const placedAt = { seconds: "1767225600", nanos: 0 };
  const put = await cairn.put({
    keyspace,
    put: {
      key,
      attributes: {
        total_cents: { int_value: "9223372036854775807" },
        paid: { bool_value: true },
        country: { string_value: "Åland" },
        placed_at: { timestamp_value: placedAt },
      },
    },
  });
  console.log(`put      ${key}: Cairn chose ${put.primary.cluster}/${put.primary.node}`);

  // The token of the write, handed back, makes sure that it is seen.
  const found = await cairn.locate({
    keyspace,
    key,
    view: "LOCATION_VIEW_FULL",
    freshness: { at_least: put.token },
  });
  assert.equal(found.location.state, "FOUND");
  assert.equal(node(found, found.location).node, put.primary.node);
  assert.deepEqual(found.location.version, put.version);
  const { attributes } = found.location;
  assert.equal(attributes.total_cents.int_value, "9223372036854775807");
  assert.equal(attributes.paid.bool_value, true);
  assert.equal(attributes.country.string_value, "Åland");
  assert.deepEqual(attributes.placed_at.timestamp_value, placedAt);
  console.log(`locate   ${key}: on ${node(found, found.location).address}, all four attributes as written`);

  const absent = await cairn.locate({ keyspace, key: order(7, 404), freshness: { linearizable: {} } });
  assert.equal(absent.location.state, "NOT_FOUND");
  console.log(`locate   ${order(7, 404)}: not found, which is an answer and not an error`);
}

async function batch() {
  const keys = Array.from({ length: 1000 }, (_, i) => order(i % 40, i));
  const written = await cairn.batchWrite({
    keyspace,
    writes: keys.map((key, i) => ({ put: { key, attributes: { total_cents: { int_value: String(i) } } } })),
  });
  assert.equal(written.results.length, keys.length);
  assert.ok(written.results.every((result) => !result.error));
  console.log(`batch    wrote ${keys.length} orders of 40 customers`);

  const found = await cairn.batchLocate({ keyspace, keys, freshness: { at_least: written.token } });
  assert.equal(found.locations.length, keys.length);
  const clusters = new Map(); // of each customer
  found.locations.forEach((location, i) => {
    assert.equal(location.state, "FOUND");
    const { cluster } = node(found, location);
    assert.equal(clusters.get(i % 40) ?? cluster, cluster, `customer ${i % 40} is in two clusters`);
    clusters.set(i % 40, cluster);
  });
  const used = [...new Set(clusters.values())].sort();
  console.log(`batch    located them, each customer in one cluster (${used.join(" and ")})`);
  return { keys, token: written.token };
}

// A stream needs no round trip between batches: all are sent before the first
// answer is read, and answers come in any order.
async function stream({ keys, token }) {
  const call = cairn.streamLocate();
  const waiting = new Map();
  const size = 100;
  for (let i = 0; i < keys.length; i += size) {
    const part = keys.slice(i, i + size);
    const id = String(i / size + 1);
    waiting.set(id, part.length);
    call.write({ id, batch: { keyspace, keys: part, freshness: { at_least: token } } });
  }
  // A batch that fails does not end the stream.
  waiting.set("99", "KEYSPACE");
  call.write({ id: "99", batch: { keyspace: "keyspaces/nowhere", keys: [keys[0]] } });
  call.end();
  const batches = waiting.size;
  for await (const response of call) {
    const expected = waiting.get(response.id);
    assert.ok(expected, `an answer to ${response.id}, which was not asked or was answered before`);
    waiting.delete(response.id);
    if (expected === "KEYSPACE") {
      assert.equal(response.result, "error");
      assert.match(response.error.message, /nowhere/);
    } else {
      assert.equal(response.result, "batch");
      assert.equal(response.batch.locations.filter((location) => location.state === "FOUND").length, expected);
    }
  }
  assert.equal(waiting.size, 0);
  console.log(`stream   ${batches} batches answered, one of them with the error it deserved`);
}

// A view is declared in manifest.yaml: orders of 900 cents or more, the largest
// first. It is read page by page until there is no cursor to go on with. The
// token of the writes makes sure that their orders are seen.
async function view({ token }) {
  const selection = { view: "views/large-orders", freshness: { at_least: token } };
  const totals = [];
  let cursor = "";
  let pages = 0;
  do {
    const page = await built(() => cairn.query({ selection, page_size: 30, cursor }));
    for (const row of page.rows) {
      assert.ok(page.nodes[row.primary].address);
      totals.push(BigInt(row.attributes.total_cents.int_value));
    }
    cursor = page.next_cursor;
    pages++;
  } while (cursor);
  const wanted = [9223372036854775807n, ...Array.from({ length: 100 }, (_, i) => BigInt(999 - i))];
  assert.deepEqual(totals, wanted);
  console.log(`view     read ${totals.length} large orders in ${pages} pages, the largest first`);

  const narrowed = { ...selection, where: "total_cents < 950" };
  const counted = await cairn.count({ selection: narrowed });
  assert.equal(counted.count, "50");
  const summed = await cairn.aggregate({ selection: narrowed, attribute: "total_cents" });
  assert.equal(summed.sum.int_value, "46225"); // 900 + 901 + ... + 949
  const groups = await cairn.groupCount({ selection, group_by: ["country"] });
  assert.deepEqual(
    groups.groups.map(({ values: [value], count }) => [value.kind === "null_value" ? null : value.string_value, count]),
    [["Åland", "1"], [null, "100"]],
  );
  console.log(`view     ${counted.count} of them are below 950 cents, ${summed.sum.int_value} cents together`);

  const misspelled = cairn.count({ selection: { ...selection, where: "total_sents < 950" } });
  await assert.rejects(misspelled, (error) => error.code === 3 && /1:1: .*total_cents/.test(error.details));
  console.log("refused  a condition on an attribute that there is not, with its line and column");
}

// built asks until every cluster has built the view, which was declared a
// moment ago. Until then the answer is UNAVAILABLE.
async function built(ask) {
  for (let tries = 100; ; tries--) {
    try {
      return await ask();
    } catch (error) {
      if (error.code !== 14 || tries === 0) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function remove() {
  const key = order(7, 1);
  const removed = await cairn.delete({ keyspace, key });
  assert.equal(removed.found, true);
  const gone = await cairn.locate({ keyspace, key, freshness: { at_least: removed.token } });
  assert.equal(gone.location.state, "NOT_FOUND");
  console.log(`delete   ${key}: gone`);
}

async function refused() {
  const empty = cairn.locate({ keyspace, key: Buffer.alloc(0) });
  await assert.rejects(empty, (error) => error.code === 3 && /key/.test(error.details));
  console.log("refused  an empty key, as INVALID_ARGUMENT");
}

try {
  await putAndLocate();
  const written = await batch();
  await stream(written);
  await view(written);
  await remove();
  await refused();
} finally {
  cairn.close();
}
