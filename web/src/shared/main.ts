/** The page of shared dashboards, at `/shared` and `/embed`: an entry of its own, which loads nothing of the shell. */
import { mount } from "svelte";
import "../app.css";
import { speakLanguage } from "../texts/speak.ts";
import SharedPage from "./SharedPage.svelte";

const target = document.getElementById("app");
if (!target) throw new Error("shared.html has no element #app");
speakLanguage().then(() => mount(SharedPage, { target }));
