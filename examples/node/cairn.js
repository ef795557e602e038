// The services of package cairn.v1, from the .proto files as they are: there
// is no generated code.

import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const protos = fileURLToPath(new URL("../../proto", import.meta.url));

const definition = protoLoader.loadSync(["cairn/v1/locator.proto", "cairn/v1/writer.proto", "cairn/v1/views.proto"], {
  includeDirs: [protos],
  keepCase: true, // field names as in the .proto files
  enums: String, // FOUND rather than 1
  longs: String, // 64-bit numbers do not fit a JavaScript number
  oneofs: true, // value.kind says which field is set
  defaults: true, // a position 0 is 0, not undefined
});

const { cairn } = grpc.loadPackageDefinition(definition);

// connect makes clients of the services at an address. Their unary calls return
// promises; StreamLocate stays a stream.
export function connect(address) {
  const credentials = grpc.credentials.createInsecure();
  const locator = new cairn.v1.Locator(address, credentials);
  const writer = new cairn.v1.Writer(address, credentials);
  const views = new cairn.v1.Views(address, credentials);
  return {
    put: unary(writer, "put"),
    batchWrite: unary(writer, "batchWrite"),
    delete: unary(writer, "delete"),
    locate: unary(locator, "locate"),
    batchLocate: unary(locator, "batchLocate"),
    streamLocate: () => locator.streamLocate(),
    query: unary(views, "query"),
    count: unary(views, "count"),
    groupCount: unary(views, "groupCount"),
    aggregate: unary(views, "aggregate"),
    close() {
      locator.close();
      writer.close();
      views.close();
    },
  };
}

function unary(client, method) {
  return (request) =>
    new Promise((resolve, reject) => {
      const deadline = new Date(Date.now() + 10_000);
      client[method](request, { deadline }, (error, response) => (error ? reject(error) : resolve(response)));
    });
}
