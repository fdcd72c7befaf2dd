/**
 * Builds the renderer into `dist/renderer`. Run from the repository root.
 * Asset paths stay relative and nothing is inlined as a script, so that the same files load over http from the node and over
 * `app://` from Electron, under `script-src 'self'`.
 */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'src-renderer',
  base: './',
  plugins: [tailwindcss(), svelte()],
  build: {
    outDir: '../dist/renderer',
    emptyOutDir: true,
    target: ['chrome130', 'firefox130', 'safari18'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
