// Node's own https through CONNECT, trusting NODE_EXTRA_CA_CERTS.
import http from "node:http";
import https from "node:https";

const proxy = new URL(process.env.HTTPS_PROXY);
const host = "login.microsoftonline.com";
const path = `/${process.env.AZURE_TENANT_ID}/v2.0/.well-known/openid-configuration`;

http
  .request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: `${host}:443` })
  .on("connect", (answer, socket) => {
    https.get({ host, path, socket, agent: false, servername: host }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => console.log(`issuer: ${JSON.parse(text).issuer}`));
    });
  })
  .end();
