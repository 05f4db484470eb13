import { type Case, isDenial, type Reported } from './reported.ts'
import { plainLines } from './text.ts'

/** One test a case; a denial fails it, and warnings are its output. */
export function junit(cases: readonly Case[]): string {
  const failed = cases.filter(({ findings }) => findings.some(isDenial)).length
  const suite = `<testsuite name="hitless" tests="${cases.length}" failures="${failed}">`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${suite}\n${cases.map(testcase).join('')}</testsuite>\n`
}

function testcase({ name, group, findings }: Case): string {
  const failures = findings
    .filter(isDenial)
    .map((each) => `    <failure type="${each.rule}" message="${xml(each.text)}">${xml(told(each))}</failure>\n`)
  const warnings = findings.filter((each) => !isDenial(each)).map(told)
  const output = warnings.length === 0 ? '' : `    <system-out>${xml(plainLines(warnings).trimEnd())}</system-out>\n`
  return `  <testcase name="${xml(name)}" classname="${xml(group)}">\n${failures.join('')}${output}  </testcase>\n`
}

function told({ rule, text, place }: Reported): string {
  return `${place === null ? '' : `${place.file}:${place.line}:${place.column}: `}[${rule}] ${text}`
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;']
])

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES.get(character) ?? '')
}
