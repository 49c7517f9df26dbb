import webpack from "webpack";

const options = { mode: "production", entry: "./main.js", output: { path: `${process.cwd()}/dist-webpack`, clean: true } };
webpack({ ...options, performance: { hints: false } }, (error, stats) => {
    const told = error ?? stats.toString({ all: false, errors: true, warnings: true });
    told && console.error(told);
    process.exitCode = told ? 1 : 0;
});
