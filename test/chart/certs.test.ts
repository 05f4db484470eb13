import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const CERTS = fileURLToPath(new URL('../../certs', import.meta.url))

t.test('the commands of certs/README.md make a pair that the API server accepts for the Service', async (t) => {
  const folder = t.testdir()
  cpSync(CERTS, folder, { recursive: true })
  const [, commands = ''] = /```sh\n(openssl[\s\S]*?)```/.exec(readFileSync(join(CERTS, 'README.md'), 'utf8')) ?? []
  execFileSync('sh', ['-ec', commands], { cwd: folder, stdio: 'pipe' })
  const authority = new X509Certificate(readFileSync(join(folder, 'ca.crt')))
  const leaf = new X509Certificate(readFileSync(join(folder, 'tls.crt')))
  t.ok(authority.ca)
  t.notOk(leaf.ca)
  t.ok(leaf.checkIssued(authority) && leaf.verify(authority.publicKey))
  t.equal(leaf.checkHost('hitless.hitless-system.svc'), 'hitless.hitless-system.svc')
})
