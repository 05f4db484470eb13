/** What `npm run coverage` asks for: how much of src the tests of the groups `fast` and `local` reach, and what is left out of the count, each with its reason. */
import { globSync, readFileSync } from 'node:fs'
import { exportsOf, withoutComments } from './modules.ts'

/** Percent. Below them is a failure; above them nobody is told to test what cannot go wrong. */
const FLOOR = { lines: 94, functions: 90, branches: 87 }

const EXCLUDED: Readonly<Record<string, string>> = {
  'src/main.ts': 'runs in processes that are started by path, as a user would',
  'src/kubernetes/**': 'talks to an API server: the group `cluster` has a real one',
  'src/cluster/**': 'follows an API server: the group `cluster` has a real one',
  'src/proxies/**': 'asks an istiod: the group `mesh` has a real one',
  'src/webhook/**': 'joins what the API server needs: the groups `cluster` and `chart` start it',
  'src/certificates/rotation.ts': 'a year of rotations takes too long for the group `local`: test/certificates/rotation.test.ts',
  'src/certificates/authorities.ts': 'the same',
  'src/watchdog.ts': 'ends a process that hangs, which takes as long: test/server/watchdog.test.ts'
}

/** For c8, on what V8 wrote into a folder. */
export function coverageFlags(raw: string): string[] {
  const excluded = [...Object.keys(EXCLUDED), ...globSync('src/**/*.ts').filter(isOnlyTypes)]
  return [
    'report',
    `--temp-directory=${raw}`,
    '--all',
    '--include=src',
    ...excluded.map((path) => `--exclude=${path}`),
    '--reporter=text',
    '--check-coverage',
    ...Object.entries(FLOOR).map(([what, percent]) => `--${what}=${percent}`)
  ]
}

/** Nothing of it is there at run time, to be reached or not. */
function isOnlyTypes(path: string): boolean {
  const text = withoutComments(readFileSync(path, 'utf8'))
  return exportsOf(text).length > 0 && !/^(?:export )?(?:async )?(?:function|class|const|let)\b/m.test(text)
}
