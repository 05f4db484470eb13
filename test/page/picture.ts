/** `node test/page/picture.ts` takes docs/page.png of `hitless look mesh/`, in a real Chromium. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hitless } from '../cli/commands.ts'
import { startChromium } from '../rig/chromium.ts'

process.chdir(import.meta.dirname)
const stop = new AbortController()
const started = Promise.withResolvers<string>()
const ended = hitless(['look', 'mesh/'], { signal: stop.signal, onOut: started.resolve })
const [url = ''] = /http:\S+/.exec(await started.promise) ?? []
const chromium = await startChromium()
const tab = await chromium.tab({ width: 1180, height: 640 })
await tab.open(url)
await tab.until(`document.getElementById('live').textContent === 'Live'`)
writeFileSync(join(import.meta.dirname, '../../docs/page.png'), await tab.picture())
await chromium.close()
stop.abort()
await ended
