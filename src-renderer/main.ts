/** Entry of the page: opens the link to the node and mounts the tree. */
import { mount } from 'svelte';
import { openClient } from './api/open-client.ts';
import './app.css';
import Root from './Root.svelte';
import { App } from './state/app.svelte.ts';

mount(Root, { target: document.querySelector('#app')!, props: { app: new App(openClient()) } });
