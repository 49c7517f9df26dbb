"use client";
import { useEffect } from "react";

export function Hearer() {
    useEffect(() => void import("../main.js"), []);
    return <><button id="go">Go</button><p id="heard"></p></>;
}
