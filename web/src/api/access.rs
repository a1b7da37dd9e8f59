//! `/api/v1/sources/{name}/access` and `/api/v1/documents/{id}/access`: who may see what, for administrators.

use std::time::Instant;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use storage::{AccessRule, Principal, Principals, Snapshot, SourceAccess};
use utoipa::{IntoParams, ToSchema};

use super::access_body::AccessBody;
use super::documents::document_id;
use super::sources::on_disk;
use super::timing::{Timed, timed};
use crate::app::App;
use crate::audit;
use crate::config::FilesSay;
use crate::error::{Error, Problem};
use crate::guard::Caller;
use crate::json::{Json, Params};
use crate::shapes;
use crate::writer::{AccessNews, Look};

/// The rules of a source.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessRules {
    /// Of those that match a document's path the last one counts; a document that none matches is open to whoever may
    /// search. What was pushed with a document, or its file says, comes on top, and both must let through.
    rules: Vec<AccessRuleBody>,
    /// Whether the files of the source say who may see them; left out: as it was said before.
    #[serde(default)]
    permissions: Option<FilesSay>,
}

/// A rule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessRuleBody {
    /// A glob over paths below the source's folder, such as `payroll/**`; null or left out: the whole source.
    #[serde(default)]
    paths: Option<String>,
    /// Who may see what it matches.
    access: AccessBody,
}

impl AccessRules {
    fn of(snapshot: &Snapshot, source: &str) -> Self {
        let rules = snapshot.source_access(source).map(SourceAccess::rules).unwrap_or_default().iter();
        let body =
            |rule: &AccessRule| AccessRuleBody { paths: rule.paths.clone(), access: AccessBody::of(&rule.access) };
        let permissions = Some(FilesSay::of(snapshot.file_permissions(source)));
        Self { rules: rules.map(body).collect(), permissions }
    }

    fn read(rules: Vec<AccessRuleBody>) -> Result<Option<SourceAccess>, Error> {
        let rule = |rule: AccessRuleBody| Ok(AccessRule { paths: rule.paths, access: rule.access.read()? });
        let rules = rules.into_iter().map(rule).collect::<Result<Vec<_>, Error>>()?;
        if rules.is_empty() {
            return Ok(None);
        }
        SourceAccess::of(rules).map(Some).map_err(|error| Error::bad(format!("rules: {error}")))
    }
}

/// Who may see the documents of a source.
#[utoipa::path(get, path = "/api/v1/sources/{name}/access", tag = "access", params(("name" = String, Path, description = "Name of the source")),
    responses((status = 200, body = Timed<AccessRules>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(app: web::Data<App>, name: web::Path<String>, caller: Caller) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let engine = app.engine()?;
    let snapshot = engine.snapshot();
    engine.source(&name).ok_or(Error::NotFound { what: "the source" })?;
    let rules = AccessRules::of(&snapshot, &name);
    Ok(HttpResponse::Ok().json(timed(started, engine.generation(&caller)?, rules)))
}

/// Says who may see the documents of a source, in the place of what was said before; no rules: whoever may search. May be
/// said before there is such a source. Where `permissions` are given, a pass over the source asks its files, and until then
/// nobody sees any of them. Committed when it is answered: the next search goes by it.
#[utoipa::path(put, path = "/api/v1/sources/{name}/access", tag = "access", request_body = AccessRules, params(("name" = String, Path, description = "Name of the source")),
    responses((status = 200, body = Timed<AccessRules>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put(
    app: web::Data<App>,
    name: web::Path<String>,
    body: Json<AccessRules>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let engine = app.engine()?;
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Error::bad("name: expected 1 to 200 characters, without control characters"));
    }
    audit::about("rules", serde_json::to_value(&body.0).map_err(Error::internal)?);
    let AccessRules { rules, permissions } = body.0;
    let rules = AccessRules::read(rules)?;
    let source = engine.source(&name);
    if permissions.is_some() && source.as_ref().is_some_and(|source| engine.pushed.owns(source)) {
        let what = "its documents were pushed, and their files say nothing; push `access` with them";
        return Err(Error::bad(format!("permissions of {name:?}: {what}")));
    }
    app.in_time(engine.writer.set_access(&name, AccessNews::Rules(rules))).await?;
    if let Some(say) = permissions {
        app.in_time(engine.writer.set_access(&name, AccessNews::Files(say.permissions()))).await?;
        // Until they were asked nobody sees any.
        if let Some(source) = source {
            on_disk(&app, &caller, move |writer| writer.index(source, Look::default())).await?;
        }
    }
    let rules = AccessRules::of(&engine.snapshot(), &name);
    Ok(HttpResponse::Ok().json(timed(started, engine.generation(&caller)?, rules)))
}

/// As whom a document is looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainParams {
    /// Principals of somebody; several times.
    #[serde(default, rename = "as")]
    #[param(schema_with = shapes::principals)]
    seen_as: Vec<String>,
}

/// Who may see a document, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explained {
    /// What was pushed with it, or what its file says.
    own: Option<AccessBody>,
    /// The rule of its source that counts for its path.
    rule: Option<AccessRuleBody>,
    /// The place of that rule among those of its source, from 0.
    rule_number: Option<usize>,
    /// Whom both let through.
    together: AccessBody,
    /// Whether whoever may search can see it.
    open: bool,
    /// Whether nobody but administrators can see it.
    closed: bool,
    /// Whether somebody who is all that was asked for can see it.
    seen: Option<bool>,
}

/// Who may see a document, and why.
#[utoipa::path(get, path = "/api/v1/documents/{id}/access", tag = "access", params(("id" = String, Path, description = "Id of the document"), ExplainParams),
    responses((status = 200, body = Timed<Explained>), (status = 404, body = Problem, content_type = "application/problem+json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn explain(
    app: web::Data<App>,
    id: web::Path<String>,
    params: Params<ExplainParams>,
    caller: Caller,
) -> Result<HttpResponse, Error> {
    let started = Instant::now();
    let id = document_id(&id)?;
    let principals = params.0.seen_as.iter().map(|name| name.parse::<Principal>()).collect::<Result<Vec<_>, _>>();
    let principals = principals.map_err(|error| Error::bad(format!("as: {error}")))?;
    let explained = app.into_inner().compute(move |_, engine| {
        let access = engine.snapshot().access_of(id)?.ok_or(Error::NotFound { what: "the document" })?;
        let together = access.together();
        let seen = (!principals.is_empty()).then(|| together.admits(&Principals::of(principals)));
        let rule_number = access.rule.as_ref().map(|(number, _)| *number);
        let rule = access.rule.as_ref().map(|(_, rule)| rule);
        let explained = Explained {
            own: access.own.as_ref().map(AccessBody::of),
            rule: rule.map(|rule| AccessRuleBody { paths: rule.paths.clone(), access: AccessBody::of(&rule.access) }),
            rule_number,
            open: together.is_open(),
            closed: together.is_closed(),
            together: AccessBody::of(&together),
            seen,
        };
        Ok(timed(started, engine.generation(&caller)?, explained))
    });
    Ok(HttpResponse::Ok().json(explained.await?))
}
