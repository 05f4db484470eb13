/** However many findings there are, and however long the names of others, what is said stays short. */
import t from 'tap'
import { InvalidField } from '../../src/kinds/fields.ts'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { apply, parsed, worldOf } from '../changes.ts'
import { guide, type Manifest, rule, service, to, virtualService } from '../manifests.ts'

const MEGABYTE = 'x'.repeat(1_000_000)

function said(manifest: Manifest) {
  const world = worldOf(guide())
  return decide(apply(world, manifest), world, DEFAULT_POLICY, 0)
}

t.test('of three thousand findings some are told, and how many more there are', async (t) => {
  const hidden = Array.from({ length: 3000 }, (_, at) => rule([to('v1')], [{ uri: { prefix: `/${at}` } }]))
  const { findings, warnings, verdict } = said(virtualService([rule([to('v1')]), ...hidden]))
  t.equal(verdict, 'warn')
  t.equal(findings.length, 3000)
  t.ok(warnings.length <= 25, `${warnings.length} warnings`)
  t.match(warnings.at(-1), /^and 29\d\d more findings$/)
})

const LONG: Readonly<Record<string, Record<string, unknown>>> = {
  'a path': { uri: { exact: `/${MEGABYTE}` } },
  'a regular expression': { uri: { regex: MEGABYTE } },
  'the name of a header': { headers: { [MEGABYTE]: { exact: 'a' } } },
  'the value of a header': { headers: { a: { exact: MEGABYTE } } },
  'an excluded header': { withoutHeaders: { [MEGABYTE]: {} } },
  'labels of the client': { sourceLabels: { a: MEGABYTE } },
  'ten thousand headers': { headers: Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`h${at}`, { exact: 'a' }])) }
}

for (const [what, match] of Object.entries(LONG)) {
  t.test(`${what} of a megabyte`, async (t) => {
    const { message, findings } = said(virtualService([rule([to('v3')], [match]), rule([to('v1')], [match])]))
    t.ok(message.length <= 1024)
    for (const finding of findings) t.ok(finding.message.length < 4000, `a finding of ${finding.message.length} characters`)
  })
}

const UNREADABLE: Readonly<Record<string, Manifest>> = {
  'a value': service({ ports: [{ port: MEGABYTE }] }),
  'a key': service({ selector: { [MEGABYTE]: 1 } })
}

for (const [what, manifest] of Object.entries(UNREADABLE)) {
  t.test(`${what} of a megabyte that has the wrong type`, async (t) => {
    try {
      parsed(manifest)
      t.fail('it is read')
    } catch (error) {
      if (!(error instanceof InvalidField)) throw error
      t.ok(error.message.length < 1000, `an error of ${error.message.length} characters`)
    }
  })
}
