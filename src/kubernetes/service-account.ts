/** What Kubernetes puts into every Pod: where the API server is, and who asks. Read without `@kubernetes/client-node`, whose import costs 90 MB. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface ServiceAccount {
  readonly server: string
  /** Holds `token`, `ca.crt` and `namespace`, which kubelet replaces before they expire. */
  readonly directory: string
}

/** Reads the files as they are now. */
export async function readServiceAccount({ server, directory }: ServiceAccount) {
  const read = async (name: string) => (await readFile(join(directory, name), 'utf8')).trim()
  const [token, ca, namespace] = await Promise.all([read('token'), read('ca.crt'), read('namespace')])
  return { server, proxy: null, namespace, headers: { authorization: `Bearer ${token}` }, tls: { ca } }
}
