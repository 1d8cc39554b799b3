import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { speakLanguage } from "./texts/speak.ts";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no element #app");
speakLanguage().then(() => mount(App, { target }));
