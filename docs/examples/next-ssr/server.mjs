import { createServer } from "node:http";
import next from "next";

const port = Number(process.env.PORT ?? 3000);
const app = next({ dev: process.env.NODE_ENV !== "production", port });
await app.prepare();
const handle = app.getRequestHandler();

// #region address
// Next hands X-Forwarded-For on as it came, and whoever sends a request can write anything into it. So the address that
// the connection comes from is put behind it: Dragoman reads from the right, up to the first address that is not yours.
createServer((request, response) => {
  const address = request.socket.remoteAddress.replace("::ffff:", "");
  request.headers["x-forwarded-for"] = [request.headers["x-forwarded-for"] ?? [], address].flat().join(", ");
  handle(request, response);
}).listen(port, () => console.log(`http://localhost:${port}`));
// #endregion
