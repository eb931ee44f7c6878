// One measurement of @azure/identity in a process of its own; prints one number.
//
//   node probe.mjs AUTHORITY CERTIFICATE first-token|cached|herd
//
// The package is below the current folder.
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";

const [authorityHost, certificatePath, what] = process.argv.slice(2);
const scope = "https://vault.azure.net/.default";
const began = performance.now();
const { ClientCertificateCredential } = createRequire(`${process.cwd()}/`)("@azure/identity");
const credential = new ClientCertificateCredential(
  "72f988bf-86f1-41af-91ab-2d7cd011db47",
  "11111111-2222-3333-4444-555555555555",
  { certificatePath },
  { authorityHost, disableInstanceDiscovery: true },
);

if (what === "herd") {
  const start = performance.now();
  await Promise.all(Array.from({ length: 100 }, () => credential.getToken(scope)));
  console.log((performance.now() - start) / 1000);
} else {
  await credential.getToken(scope);
  if (what === "first-token") {
    console.log((performance.now() - began) / 1000);
  } else {
    let best = Infinity;
    for (let batch = 0; batch < 5; batch += 1) {
      const start = performance.now();
      for (let call = 0; call < 200; call += 1) {
        await credential.getToken(scope);
      }
      best = Math.min(best, ((performance.now() - start) * 1e6) / 200);
    }
    console.log(best);
  }
}
