import { createApp } from 'vue'
import App from './App.vue'
import { chooseLang, rememberedLang, rememberLang, speak } from './i18n'
import { createAppRouter } from './router'
import { startClock } from './state/clock'
import { loadSession } from './state/session'
import './styles/index.css'

async function start(): Promise<void> {
  const lang = chooseLang(location.search, rememberedLang())
  if (new URLSearchParams(location.search).has('lang')) rememberLang(lang)
  const [, session] = await Promise.allSettled([speak(lang), loadSession()])
  if (session.status === 'rejected') console.error('asking who is signed in', session.reason)
  startClock()
  const router = createAppRouter()
  const app = createApp(App).use(router)
  await router.start()
  app.mount('#app')
  void import('./state/taps').then((taps) => taps.startQueue())
  if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    navigator.serviceWorker.register('/sw.js').catch((error: unknown) => console.warn('service worker', error))
  }
}

// A lazy part that is gone was replaced by a new version: load the page anew, once.
addEventListener('vite:preloadError', () => {
  const key = 'gengfu.reloaded'
  if (sessionStorage.getItem(key)) return
  sessionStorage.setItem(key, '1')
  location.reload()
})

void start()
