//! `nupeer image`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use nupeer_paas_drivers::image::{
    ImageError,
    make::{self, Files, MadeImage, Node, Recipe},
};
use serde_json::json;

use crate::{
    args_market::{ImageCommand, ImageMakeArgs},
    error::{CliError, Exit, Outcome, file_error},
    output::Printer,
    units::show_bytes,
};

pub(super) fn run(command: &ImageCommand, printer: &Printer) -> Outcome<()> {
    let ImageCommand::Make(args) = command;
    let made = made(args)?;
    fs::write(&args.out, &made.archive).map_err(|error| file_error(&args.out, &error))?;
    let digest = nupeer_paas::image::text(&nupeer_primitives::Hash(made.digest.0));
    let length = made.archive.len() as u64;
    let value = json!({
        "digest": digest,
        "archive": args.out.display().to_string(),
        "bytes": length,
    });
    let line = format!("{digest}  {} ({})", args.out.display(), show_bytes(length));
    printer.result(value, &[line]);
    Ok(())
}

fn made(args: &ImageMakeArgs) -> Outcome<MadeImage> {
    let recipe = |argv: Vec<String>| Recipe {
        argv,
        port: Some(args.port),
        ..Recipe::default()
    };
    if let Some(folder) = &args.folder {
        return make::from_folder(folder, &recipe(args.command.clone())).map_err(refused);
    }
    let port = args.port.to_string();
    let (path, bytes, argv) = match &args.script {
        Some(script) => {
            let bytes = fs::read(script).map_err(|error| file_error(script, &error))?;
            ("start", bytes, vec!["/bin/sh", "/start"])
        }
        None => {
            let greeting = args.greeting.clone().unwrap_or_default();
            let argv = vec!["/bin/httpd", "-f", "-vv", "-p", &port, "-h", "/www"];
            ("www/index.html", greeting.into_bytes(), argv)
        }
    };
    let file = Node::File {
        bytes,
        executable: args.script.is_some(),
    };
    let files: Files = BTreeMap::from([(PathBuf::from(path), file)]);
    let argv = argv.into_iter().map(str::to_owned).collect();
    make::from_busybox(&args.busybox, &files, &recipe(argv))
        .map_err(|error| refused(error).next("apt install busybox-static, or --busybox FILE"))
}

fn refused(error: ImageError) -> CliError {
    CliError::numbered(Exit::NotFound, &error)
}
