/** Certificates of clients, made by openssl. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ClientPair {
  readonly cert: string
  readonly key: string
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']

/** Makes an authority in a folder, which signs client certificates of any common name and DNS names. */
export function clientAuthority(folder: string): { readonly ca: string; pair(name: string, ...dns: string[]): ClientPair } {
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  openssl('req', '-x509', ...NEW_KEY, '-subj', '/CN=clients', '-keyout', file('clients.key'), '-out', file('clients.crt'))
  const signed = ['-CA', file('clients.crt'), '-CAkey', file('clients.key')]
  return {
    ca: readFileSync(file('clients.crt'), 'utf8'),
    pair(name, ...dns) {
      const extensions = [
        'extendedKeyUsage=clientAuth',
        ...(dns.length === 0 ? [] : [`subjectAltName=${dns.map((each) => `DNS:${each}`)}`])
      ]
      const added = extensions.flatMap((extension) => ['-addext', extension])
      openssl(
        'req',
        '-x509',
        ...NEW_KEY,
        ...signed,
        '-subj',
        `/CN=${name}`,
        ...added,
        '-keyout',
        file('client.key'),
        '-out',
        file('client.crt')
      )
      return { cert: readFileSync(file('client.crt'), 'utf8'), key: readFileSync(file('client.key'), 'utf8') }
    }
  }
}
