"""The operations of the Platform API as methods, for type checkers.

Generated from src/openapi/operations.txt by tests/rust/platform/python.rs.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, overload

from ._operations import _ListName, _OneName
from ._platform import AsyncItems, Items

_OPERATIONS: dict[str, tuple[str, bool, str]]

class _ModelsPricing:
    def __call__(
        self,
        *,
        endpoint_id: str | Sequence[str],
    ) -> Items:
        """Current unit price of one to fifty endpoints."""

    def estimate(
        self,
        *,
        estimate_type: Literal["historical_api_price"] | Literal["unit_price"],
        endpoints: Mapping[str, Any],
    ) -> Any:
        """Cost estimate for planned calls."""


class _ModelsRequestsPayloads:
    def delete(
        self,
        *,
        request_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Erase stored input/output and output CDN files of one request."""


class _ModelsRequests:
    @property
    def payloads(self) -> _ModelsRequestsPayloads: ...
    def by_endpoint(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        endpoint_id: str | Sequence[str],
        start: str | date = ...,
        end: str | date = ...,
        status: Literal["success", "error", "user_error"] = ...,
        request_id: str = ...,
        expand: str | Sequence[str] = ...,
        sort_by: Literal["ended_at", "duration"] = ...,
    ) -> Items:
        """Recent requests for given endpoints."""

    def search(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        query: str = ...,
        image_url: str = ...,
        video_url: str = ...,
        endpoint_id: str | Sequence[str] = ...,
        endpoint: str = ...,
        exclude_api_requests: bool = ...,
        only_api_requests: bool = ...,
        min_similarity: float | None = ...,
    ) -> Items:
        """Search the request history by text, image or video, or browse it."""


class _Models:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        endpoint_id: str | Sequence[str] = ...,
        q: str = ...,
        category: str = ...,
        status: Literal["active", "deprecated"] = ...,
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """Find, list or search model endpoints."""

    @property
    def pricing(self) -> _ModelsPricing: ...
    def usage(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        endpoint_id: str | Sequence[str] = ...,
        api_key_id: str | Sequence[str] = ...,
        login_username: str | Sequence[str] = ...,
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """Billed usage rows of the workspace."""

    def analytics(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        endpoint_id: str | Sequence[str],
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """Request counts, errors and latency per endpoint."""

    def billing_events(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        endpoint_id: str | Sequence[str] = ...,
        request_id: str | Sequence[str] = ...,
        api_key_id: str | Sequence[str] = ...,
        login_username: str | Sequence[str] = ...,
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """One record per billed request."""

    @property
    def requests(self) -> _ModelsRequests: ...

class _Workflows:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        search: str = ...,
        used_endpoint_ids: str | Sequence[str] = ...,
    ) -> Items:
        """List own workflows."""

    def create(
        self,
        *,
        name: str,
        title: str,
        contents: Mapping[str, Any],
        is_public: bool = ...,
    ) -> Any:
        """Create a workflow."""

    def get(
        self,
        *,
        username: str,
        workflow_name: str,
    ) -> Any:
        """Read one workflow with its definition."""


class _AssetsCollectionsAssets:
    def list(
        self,
        *,
        collection_id: str,
        limit: int = ...,
        cursor: str = ...,
        q: str = ...,
        search_image_url: str = ...,
        search_video_url: str = ...,
        media_type: Sequence[Literal["image", "video", "audio", "3d"]] | None = ...,
        source: Sequence[Literal["upload", "response"]] | None = ...,
        section: Literal["all-media", "uploads", "favorites", "generated"] = ...,
        character_identifier: Sequence[str] | None = ...,
        tag_id: Sequence[str] | None = ...,
        tag_mode: Literal["any", "all"] = ...,
    ) -> Items:
        """Browse the assets of a collection."""

    def add(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> Any:
        """Add one asset."""

    def remove(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> None:
        """Remove one asset (DELETE with a JSON body)."""


class _AssetsCollections:
    def list(
        self,
        *,
        limit: int = ...,
        offset: int | None = ...,
    ) -> Items:
        """List collections."""

    def create(
        self,
        *,
        idempotency_key: str = ...,
        name: str,
        description: str | None = ...,
        icon: str | None = ...,
        color: str | None = ...,
        cover_image_url: str | None = ...,
        parent_collection_id: str | None = ...,
        filters: Any = ...,
    ) -> Any:
        """Create a collection."""

    def get(
        self,
        *,
        collection_id: str,
    ) -> Any:
        """Read a collection."""

    def update(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
        name: str = ...,
        description: str | None = ...,
        icon: str | None = ...,
        color: str | None = ...,
        cover_image_url: str | None = ...,
        filters: Any = ...,
    ) -> Any:
        """Change a collection."""

    def delete(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
    ) -> None:
        """Delete a collection."""

    def hierarchy(
        self,
        *,
        collection_id: str,
    ) -> Any:
        """Subtree below a collection and its ancestors."""

    def favorite(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Mark a collection as favourite."""

    def unfavorite(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Undo favourite."""

    def move(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
        parent_collection_id: str | None,
    ) -> Any:
        """Move a manual collection."""

    @property
    def assets(self) -> _AssetsCollectionsAssets: ...

class _AssetsCharacters:
    def list(
        self,
        *,
        limit: int = ...,
        offset: int | None = ...,
    ) -> Items:
        """List characters."""

    def create(
        self,
        *,
        idempotency_key: str = ...,
        name: str,
        identifier: str | None = ...,
        description: str,
        reference_images: Sequence[str],
        cover_image_url: str | None = ...,
    ) -> Any:
        """Create a character."""

    def update(
        self,
        *,
        character_id: str,
        idempotency_key: str = ...,
        name: str = ...,
        description: str = ...,
        reference_images: Sequence[str] = ...,
        cover_image_url: str | None = ...,
    ) -> Any:
        """Change a character."""

    def get(
        self,
        *,
        character_id: str,
    ) -> Any:
        """Read a character."""

    def delete(
        self,
        *,
        character_id: str,
        idempotency_key: str = ...,
    ) -> None:
        """Delete a character."""

    def favorite(
        self,
        *,
        character_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Mark a character as favourite."""

    def unfavorite(
        self,
        *,
        character_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Undo favourite."""


class _AssetsTags:
    def list(self) -> Items:
        """List tags."""

    def create(
        self,
        *,
        idempotency_key: str = ...,
        name: str,
    ) -> Any:
        """Create a tag."""

    def replace(
        self,
        *,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
        tag_ids: Sequence[str],
    ) -> Any:
        """Replace the tag set of one asset."""

    def update(
        self,
        *,
        tag_id: str,
        idempotency_key: str = ...,
        name: str = ...,
    ) -> Any:
        """Rename a tag."""

    def delete(
        self,
        *,
        tag_id: str,
        idempotency_key: str = ...,
    ) -> None:
        """Delete a tag."""

    def of_asset(
        self,
        *,
        asset_id: str,
    ) -> Items:
        """Tags of one asset."""

    def assign(
        self,
        *,
        tag_id: str,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> Any:
        """Assign a tag to an asset."""

    def unassign(
        self,
        *,
        tag_id: str,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> None:
        """Unassign a tag (DELETE with a JSON body)."""


class _AssetsUploads:
    def create(
        self,
        *,
        idempotency_key: str = ...,
        url: str,
        type: Literal["image", "video", "audio", "3d"],
        prompt: str | None = ...,
        collection_id: str | None = ...,
        favorite: bool = ...,
        tag_ids: Sequence[str] = ...,
    ) -> Any:
        """Register an already fal-hosted file as an asset."""


class _Assets:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        q: str = ...,
        search_image_url: str = ...,
        search_video_url: str = ...,
        media_type: Sequence[Literal["image", "video", "audio", "3d"]] | None = ...,
        source: Sequence[Literal["upload", "response"]] | None = ...,
        section: Literal["all-media", "uploads", "favorites", "generated"] = ...,
        collection_id: str = ...,
        character_identifier: Sequence[str] | None = ...,
        tag_id: Sequence[str] | None = ...,
        tag_mode: Literal["any", "all"] = ...,
    ) -> Items:
        """Browse or semantically search the asset library."""

    @property
    def collections(self) -> _AssetsCollections: ...
    @property
    def characters(self) -> _AssetsCharacters: ...
    @property
    def tags(self) -> _AssetsTags: ...
    @property
    def uploads(self) -> _AssetsUploads: ...
    def get(
        self,
        *,
        asset_id: str,
    ) -> Any:
        """Read one asset."""

    def lineage(
        self,
        *,
        asset_id: str,
        depth: int = ...,
    ) -> Any:
        """Derivation graph of an asset."""

    def favorite(
        self,
        *,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> Any:
        """Mark an asset as favourite."""

    def unfavorite(
        self,
        *,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> Any:
        """Undo favourite."""


class _StorageFilesAcl:
    def get(
        self,
        *,
        url: str,
    ) -> Any:
        """Read the ACL of a CDN file."""

    def replace(
        self,
        *,
        url: str,
        default: Literal["allow", "forbid", "hide"],
        rules: Sequence[Mapping[str, Any]] = ...,
    ) -> Any:
        """Replace the ACL of a CDN file."""


class _StorageFiles:
    @property
    def acl(self) -> _StorageFilesAcl: ...
    def sign(
        self,
        *,
        url: str,
        expiration_seconds: int,
    ) -> Any:
        """Create a time-limited URL for a CDN file."""


class _StorageSettings:
    def get(self) -> Any:
        """Account defaults for new CDN files."""

    def replace(
        self,
        *,
        expiration_duration_seconds: int | None = ...,
        initial_acl: Mapping[str, Any] | None = ...,
    ) -> Any:
        """Replace the account defaults for new CDN files."""


class _Storage:
    @property
    def files(self) -> _StorageFiles: ...
    @property
    def settings(self) -> _StorageSettings: ...

class _ServerlessAppsQueue:
    def get(
        self,
        *,
        owner: str,
        name: str,
    ) -> Any:
        """Queue length of one app."""

    def flush(
        self,
        *,
        owner: str,
        name: str,
        idempotency_key: str = ...,
    ) -> None:
        """Cancel every pending request of one app."""


class _ServerlessAppsRunners:
    def history(
        self,
        *,
        owner: str,
        name: str,
        start: str | date = ...,
        end: str | date = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        aggregation: Literal["max", "avg"] = ...,
    ) -> Items:
        """Runner counts over time."""


class _ServerlessApps:
    def list(
        self,
        *,
        environment: str = ...,
        search: str = ...,
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """Own apps and their settings."""

    @property
    def queue(self) -> _ServerlessAppsQueue: ...
    @property
    def runners(self) -> _ServerlessAppsRunners: ...
    def events(
        self,
        *,
        owner: str,
        name: str,
        start: str | date = ...,
        end: str | date = ...,
        category: Literal["runner_started", "runner_failed", "runner_finished", "runner_pending", "runner_startup_failure", "runner_docker_pull", "runner_setup", "runner_draining", "runner_stopping", "deployment_started", "deployment_failed", "deployment_ended", "deployment_rolling_started", "deployment_rolling_failed", "deployment_rolling_ended", "deployment_recreate_applied", "config_changed"] | Sequence[Literal["runner_started", "runner_failed", "runner_finished", "runner_pending", "runner_startup_failure", "runner_docker_pull", "runner_setup", "runner_draining", "runner_stopping", "deployment_started", "deployment_failed", "deployment_ended", "deployment_rolling_started", "deployment_rolling_failed", "deployment_rolling_ended", "deployment_recreate_applied", "config_changed"]] = ...,
        limit: int = ...,
        cursor: str = ...,
    ) -> Items:
        """Deployment, configuration and runner events."""

    def revisions(
        self,
        *,
        owner: str,
        name: str,
        limit: int = ...,
        cursor: str = ...,
    ) -> Items:
        """Deployed revisions."""


class _ServerlessFiles:
    def list(self) -> Items:
        """List the root of the persistent volume."""

    def list_dir(
        self,
        *,
        dir: str,
    ) -> Items:
        """List a directory of the persistent volume."""

    def download(
        self,
        *,
        file: str,
    ) -> bytes:
        """Download a file of the persistent volume."""

    def upload_url(
        self,
        *,
        file: str,
        url: str,
    ) -> Any:
        """Store a file fetched from a URL."""

    def upload(
        self,
        *,
        target_path: str,
        unzip: bool | None = ...,
        file_upload: Any = ...,
    ) -> Any:
        """Store a file sent as multipart/form-data."""


class _ServerlessLogs:
    def history(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        app_id: str | Sequence[str] = ...,
        revision: str = ...,
        run_source: Literal["grpc-run", "grpc-register", "gateway", "cron"] = ...,
        traceback: bool | None = ...,
        search: str = ...,
        level: str = ...,
        job_id: str = ...,
        request_id: str = ...,
        filters: Sequence[Mapping[str, Any]] = ...,
    ) -> Items:
        """Past log lines."""

    def stream(
        self,
        *,
        start: str | date = ...,
        end: str | date = ...,
        app_id: str | Sequence[str] = ...,
        revision: str = ...,
        run_source: Literal["grpc-run", "grpc-register", "gateway", "cron"] = ...,
        traceback: bool | None = ...,
        search: str = ...,
        level: str = ...,
        job_id: str = ...,
        request_id: str = ...,
        filters: Sequence[Mapping[str, Any]] = ...,
    ) -> Items:
        """Live log lines as Server-Sent Events."""


class _ServerlessRequests:
    def by_endpoint(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        endpoint_id: str | Sequence[str],
        start: str | date = ...,
        end: str | date = ...,
        status: Literal["success", "error", "user_error"] = ...,
        request_id: str = ...,
        expand: str | Sequence[str] = ...,
        sort_by: Literal["ended_at", "duration"] = ...,
    ) -> Items:
        """Requests that reached own apps."""


class _Serverless:
    def analytics(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        endpoint_id: str | Sequence[str],
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """As /models/analytics, for all inbound traffic to own apps."""

    @property
    def apps(self) -> _ServerlessApps: ...
    @property
    def files(self) -> _ServerlessFiles: ...
    def metrics(self) -> str:
        """Prometheus text exposition."""

    @property
    def logs(self) -> _ServerlessLogs: ...
    @property
    def requests(self) -> _ServerlessRequests: ...
    def usage(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        app: str | Sequence[str] = ...,
        search: str = ...,
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """Compute seconds and cost of own apps."""


class _ComputeInstances:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
    ) -> Items:
        """List machines. It needs an account with compute enabled."""

    def create(
        self,
        *,
        idempotency_key: str = ...,
        instance_type: Literal["gpu_8x_h100_sxm5", "gpu_1x_h100_sxm5"],
        ssh_key: str,
        sector: Literal["sector_1", "sector_2", "sector_3"] = ...,
    ) -> Any:
        """Create a machine. It needs an account with compute enabled."""

    def get(
        self,
        *,
        id: str,
    ) -> Any:
        """Read a machine. It needs an account with compute enabled."""

    def delete(
        self,
        *,
        id: str,
    ) -> None:
        """Delete a machine. It needs an account with compute enabled."""


class _Compute:
    @property
    def instances(self) -> _ComputeInstances: ...

class _Keys:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """List API keys."""

    def revoke(
        self,
        *,
        key_id: str,
        idempotency_key: str = ...,
        allow_own: bool = ...,
    ) -> None:
        """Revoke an API key."""


class _Account:
    def billing(
        self,
        *,
        expand: str | Sequence[str] = ...,
    ) -> Any:
        """Account name and, on request, credit balance."""

    def focus(
        self,
        *,
        source: Literal["invoice", "estimate"],
        billing_month: str = ...,
        charge_month: str = ...,
        expand: Literal["organization"] = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
    ) -> str:
        """FOCUS billing report as CSV. It needs an Enterprise account."""

    def model_access_controls(self) -> str:
        """Model allow/block list as CSV. It needs an Enterprise account."""


class _Organization:
    def billing_events(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        endpoint_id: str | Sequence[str] = ...,
        request_id: str | Sequence[str] = ...,
        api_key_id: str | Sequence[str] = ...,
        team_username: str | Sequence[str] = ...,
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """Billing events of every team. It needs an Enterprise organization, and a key of its root team."""

    def focus(
        self,
        *,
        source: Literal["invoice", "estimate"],
        billing_month: str = ...,
        charge_month: str = ...,
        team_username: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
    ) -> str:
        """FOCUS report across teams as CSV. It needs an Enterprise organization, and a key of its root team."""

    def teams(self) -> Items:
        """Teams of the organization. It needs an Enterprise organization, and a key of its root team."""

    def usage(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        endpoint_id: str | Sequence[str] = ...,
        api_key_id: str | Sequence[str] = ...,
        team_username: str | Sequence[str] = ...,
        product: str | Sequence[str] = ...,
        expand: str | Sequence[str] = ...,
    ) -> Items:
        """Usage across teams and products. It needs an Enterprise organization, and a key of its root team."""


class _Meta:
    def get(self) -> Any:
        """Platform metadata."""


class _Platform:
    @overload
    def __call__(self, name: _ListName, /, *, parse_float: Callable[[str], Any] | None = ..., **params: Any) -> Items:
        """Read a list of the Platform API by its name."""

    @overload
    def __call__(self, name: _OneName, /, *, parse_float: Callable[[str], Any] | None = ..., **params: Any) -> Any:
        """Call an operation of the Platform API by its name."""

    @property
    def models(self) -> _Models: ...
    @property
    def workflows(self) -> _Workflows: ...
    @property
    def assets(self) -> _Assets: ...
    @property
    def storage(self) -> _Storage: ...
    @property
    def serverless(self) -> _Serverless: ...
    @property
    def compute(self) -> _Compute: ...
    @property
    def keys(self) -> _Keys: ...
    @property
    def account(self) -> _Account: ...
    @property
    def organization(self) -> _Organization: ...
    @property
    def meta(self) -> _Meta: ...

class _AsyncModelsPricing:
    def __call__(
        self,
        *,
        endpoint_id: str | Sequence[str],
    ) -> AsyncItems:
        """Current unit price of one to fifty endpoints."""

    async def estimate(
        self,
        *,
        estimate_type: Literal["historical_api_price"] | Literal["unit_price"],
        endpoints: Mapping[str, Any],
    ) -> Any:
        """Cost estimate for planned calls."""


class _AsyncModelsRequestsPayloads:
    async def delete(
        self,
        *,
        request_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Erase stored input/output and output CDN files of one request."""


class _AsyncModelsRequests:
    @property
    def payloads(self) -> _AsyncModelsRequestsPayloads: ...
    def by_endpoint(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        endpoint_id: str | Sequence[str],
        start: str | date = ...,
        end: str | date = ...,
        status: Literal["success", "error", "user_error"] = ...,
        request_id: str = ...,
        expand: str | Sequence[str] = ...,
        sort_by: Literal["ended_at", "duration"] = ...,
    ) -> AsyncItems:
        """Recent requests for given endpoints."""

    def search(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        query: str = ...,
        image_url: str = ...,
        video_url: str = ...,
        endpoint_id: str | Sequence[str] = ...,
        endpoint: str = ...,
        exclude_api_requests: bool = ...,
        only_api_requests: bool = ...,
        min_similarity: float | None = ...,
    ) -> AsyncItems:
        """Search the request history by text, image or video, or browse it."""


class _AsyncModels:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        endpoint_id: str | Sequence[str] = ...,
        q: str = ...,
        category: str = ...,
        status: Literal["active", "deprecated"] = ...,
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """Find, list or search model endpoints."""

    @property
    def pricing(self) -> _AsyncModelsPricing: ...
    def usage(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        endpoint_id: str | Sequence[str] = ...,
        api_key_id: str | Sequence[str] = ...,
        login_username: str | Sequence[str] = ...,
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """Billed usage rows of the workspace."""

    def analytics(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        endpoint_id: str | Sequence[str],
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """Request counts, errors and latency per endpoint."""

    def billing_events(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        endpoint_id: str | Sequence[str] = ...,
        request_id: str | Sequence[str] = ...,
        api_key_id: str | Sequence[str] = ...,
        login_username: str | Sequence[str] = ...,
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """One record per billed request."""

    @property
    def requests(self) -> _AsyncModelsRequests: ...

class _AsyncWorkflows:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        search: str = ...,
        used_endpoint_ids: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """List own workflows."""

    async def create(
        self,
        *,
        name: str,
        title: str,
        contents: Mapping[str, Any],
        is_public: bool = ...,
    ) -> Any:
        """Create a workflow."""

    async def get(
        self,
        *,
        username: str,
        workflow_name: str,
    ) -> Any:
        """Read one workflow with its definition."""


class _AsyncAssetsCollectionsAssets:
    def list(
        self,
        *,
        collection_id: str,
        limit: int = ...,
        cursor: str = ...,
        q: str = ...,
        search_image_url: str = ...,
        search_video_url: str = ...,
        media_type: Sequence[Literal["image", "video", "audio", "3d"]] | None = ...,
        source: Sequence[Literal["upload", "response"]] | None = ...,
        section: Literal["all-media", "uploads", "favorites", "generated"] = ...,
        character_identifier: Sequence[str] | None = ...,
        tag_id: Sequence[str] | None = ...,
        tag_mode: Literal["any", "all"] = ...,
    ) -> AsyncItems:
        """Browse the assets of a collection."""

    async def add(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> Any:
        """Add one asset."""

    async def remove(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> None:
        """Remove one asset (DELETE with a JSON body)."""


class _AsyncAssetsCollections:
    def list(
        self,
        *,
        limit: int = ...,
        offset: int | None = ...,
    ) -> AsyncItems:
        """List collections."""

    async def create(
        self,
        *,
        idempotency_key: str = ...,
        name: str,
        description: str | None = ...,
        icon: str | None = ...,
        color: str | None = ...,
        cover_image_url: str | None = ...,
        parent_collection_id: str | None = ...,
        filters: Any = ...,
    ) -> Any:
        """Create a collection."""

    async def get(
        self,
        *,
        collection_id: str,
    ) -> Any:
        """Read a collection."""

    async def update(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
        name: str = ...,
        description: str | None = ...,
        icon: str | None = ...,
        color: str | None = ...,
        cover_image_url: str | None = ...,
        filters: Any = ...,
    ) -> Any:
        """Change a collection."""

    async def delete(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
    ) -> None:
        """Delete a collection."""

    async def hierarchy(
        self,
        *,
        collection_id: str,
    ) -> Any:
        """Subtree below a collection and its ancestors."""

    async def favorite(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Mark a collection as favourite."""

    async def unfavorite(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Undo favourite."""

    async def move(
        self,
        *,
        collection_id: str,
        idempotency_key: str = ...,
        parent_collection_id: str | None,
    ) -> Any:
        """Move a manual collection."""

    @property
    def assets(self) -> _AsyncAssetsCollectionsAssets: ...

class _AsyncAssetsCharacters:
    def list(
        self,
        *,
        limit: int = ...,
        offset: int | None = ...,
    ) -> AsyncItems:
        """List characters."""

    async def create(
        self,
        *,
        idempotency_key: str = ...,
        name: str,
        identifier: str | None = ...,
        description: str,
        reference_images: Sequence[str],
        cover_image_url: str | None = ...,
    ) -> Any:
        """Create a character."""

    async def update(
        self,
        *,
        character_id: str,
        idempotency_key: str = ...,
        name: str = ...,
        description: str = ...,
        reference_images: Sequence[str] = ...,
        cover_image_url: str | None = ...,
    ) -> Any:
        """Change a character."""

    async def get(
        self,
        *,
        character_id: str,
    ) -> Any:
        """Read a character."""

    async def delete(
        self,
        *,
        character_id: str,
        idempotency_key: str = ...,
    ) -> None:
        """Delete a character."""

    async def favorite(
        self,
        *,
        character_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Mark a character as favourite."""

    async def unfavorite(
        self,
        *,
        character_id: str,
        idempotency_key: str = ...,
    ) -> Any:
        """Undo favourite."""


class _AsyncAssetsTags:
    def list(self) -> AsyncItems:
        """List tags."""

    async def create(
        self,
        *,
        idempotency_key: str = ...,
        name: str,
    ) -> Any:
        """Create a tag."""

    async def replace(
        self,
        *,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
        tag_ids: Sequence[str],
    ) -> Any:
        """Replace the tag set of one asset."""

    async def update(
        self,
        *,
        tag_id: str,
        idempotency_key: str = ...,
        name: str = ...,
    ) -> Any:
        """Rename a tag."""

    async def delete(
        self,
        *,
        tag_id: str,
        idempotency_key: str = ...,
    ) -> None:
        """Delete a tag."""

    def of_asset(
        self,
        *,
        asset_id: str,
    ) -> AsyncItems:
        """Tags of one asset."""

    async def assign(
        self,
        *,
        tag_id: str,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> Any:
        """Assign a tag to an asset."""

    async def unassign(
        self,
        *,
        tag_id: str,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> None:
        """Unassign a tag (DELETE with a JSON body)."""


class _AsyncAssetsUploads:
    async def create(
        self,
        *,
        idempotency_key: str = ...,
        url: str,
        type: Literal["image", "video", "audio", "3d"],
        prompt: str | None = ...,
        collection_id: str | None = ...,
        favorite: bool = ...,
        tag_ids: Sequence[str] = ...,
    ) -> Any:
        """Register an already fal-hosted file as an asset."""


class _AsyncAssets:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        q: str = ...,
        search_image_url: str = ...,
        search_video_url: str = ...,
        media_type: Sequence[Literal["image", "video", "audio", "3d"]] | None = ...,
        source: Sequence[Literal["upload", "response"]] | None = ...,
        section: Literal["all-media", "uploads", "favorites", "generated"] = ...,
        collection_id: str = ...,
        character_identifier: Sequence[str] | None = ...,
        tag_id: Sequence[str] | None = ...,
        tag_mode: Literal["any", "all"] = ...,
    ) -> AsyncItems:
        """Browse or semantically search the asset library."""

    @property
    def collections(self) -> _AsyncAssetsCollections: ...
    @property
    def characters(self) -> _AsyncAssetsCharacters: ...
    @property
    def tags(self) -> _AsyncAssetsTags: ...
    @property
    def uploads(self) -> _AsyncAssetsUploads: ...
    async def get(
        self,
        *,
        asset_id: str,
    ) -> Any:
        """Read one asset."""

    async def lineage(
        self,
        *,
        asset_id: str,
        depth: int = ...,
    ) -> Any:
        """Derivation graph of an asset."""

    async def favorite(
        self,
        *,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> Any:
        """Mark an asset as favourite."""

    async def unfavorite(
        self,
        *,
        idempotency_key: str = ...,
        asset_id: str = ...,
        request_id: str = ...,
        vector_id: str = ...,
    ) -> Any:
        """Undo favourite."""


class _AsyncStorageFilesAcl:
    async def get(
        self,
        *,
        url: str,
    ) -> Any:
        """Read the ACL of a CDN file."""

    async def replace(
        self,
        *,
        url: str,
        default: Literal["allow", "forbid", "hide"],
        rules: Sequence[Mapping[str, Any]] = ...,
    ) -> Any:
        """Replace the ACL of a CDN file."""


class _AsyncStorageFiles:
    @property
    def acl(self) -> _AsyncStorageFilesAcl: ...
    async def sign(
        self,
        *,
        url: str,
        expiration_seconds: int,
    ) -> Any:
        """Create a time-limited URL for a CDN file."""


class _AsyncStorageSettings:
    async def get(self) -> Any:
        """Account defaults for new CDN files."""

    async def replace(
        self,
        *,
        expiration_duration_seconds: int | None = ...,
        initial_acl: Mapping[str, Any] | None = ...,
    ) -> Any:
        """Replace the account defaults for new CDN files."""


class _AsyncStorage:
    @property
    def files(self) -> _AsyncStorageFiles: ...
    @property
    def settings(self) -> _AsyncStorageSettings: ...

class _AsyncServerlessAppsQueue:
    async def get(
        self,
        *,
        owner: str,
        name: str,
    ) -> Any:
        """Queue length of one app."""

    async def flush(
        self,
        *,
        owner: str,
        name: str,
        idempotency_key: str = ...,
    ) -> None:
        """Cancel every pending request of one app."""


class _AsyncServerlessAppsRunners:
    def history(
        self,
        *,
        owner: str,
        name: str,
        start: str | date = ...,
        end: str | date = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        aggregation: Literal["max", "avg"] = ...,
    ) -> AsyncItems:
        """Runner counts over time."""


class _AsyncServerlessApps:
    def list(
        self,
        *,
        environment: str = ...,
        search: str = ...,
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """Own apps and their settings."""

    @property
    def queue(self) -> _AsyncServerlessAppsQueue: ...
    @property
    def runners(self) -> _AsyncServerlessAppsRunners: ...
    def events(
        self,
        *,
        owner: str,
        name: str,
        start: str | date = ...,
        end: str | date = ...,
        category: Literal["runner_started", "runner_failed", "runner_finished", "runner_pending", "runner_startup_failure", "runner_docker_pull", "runner_setup", "runner_draining", "runner_stopping", "deployment_started", "deployment_failed", "deployment_ended", "deployment_rolling_started", "deployment_rolling_failed", "deployment_rolling_ended", "deployment_recreate_applied", "config_changed"] | Sequence[Literal["runner_started", "runner_failed", "runner_finished", "runner_pending", "runner_startup_failure", "runner_docker_pull", "runner_setup", "runner_draining", "runner_stopping", "deployment_started", "deployment_failed", "deployment_ended", "deployment_rolling_started", "deployment_rolling_failed", "deployment_rolling_ended", "deployment_recreate_applied", "config_changed"]] = ...,
        limit: int = ...,
        cursor: str = ...,
    ) -> AsyncItems:
        """Deployment, configuration and runner events."""

    def revisions(
        self,
        *,
        owner: str,
        name: str,
        limit: int = ...,
        cursor: str = ...,
    ) -> AsyncItems:
        """Deployed revisions."""


class _AsyncServerlessFiles:
    def list(self) -> AsyncItems:
        """List the root of the persistent volume."""

    def list_dir(
        self,
        *,
        dir: str,
    ) -> AsyncItems:
        """List a directory of the persistent volume."""

    async def download(
        self,
        *,
        file: str,
    ) -> bytes:
        """Download a file of the persistent volume."""

    async def upload_url(
        self,
        *,
        file: str,
        url: str,
    ) -> Any:
        """Store a file fetched from a URL."""

    async def upload(
        self,
        *,
        target_path: str,
        unzip: bool | None = ...,
        file_upload: Any = ...,
    ) -> Any:
        """Store a file sent as multipart/form-data."""


class _AsyncServerlessLogs:
    def history(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        app_id: str | Sequence[str] = ...,
        revision: str = ...,
        run_source: Literal["grpc-run", "grpc-register", "gateway", "cron"] = ...,
        traceback: bool | None = ...,
        search: str = ...,
        level: str = ...,
        job_id: str = ...,
        request_id: str = ...,
        filters: Sequence[Mapping[str, Any]] = ...,
    ) -> AsyncItems:
        """Past log lines."""

    def stream(
        self,
        *,
        start: str | date = ...,
        end: str | date = ...,
        app_id: str | Sequence[str] = ...,
        revision: str = ...,
        run_source: Literal["grpc-run", "grpc-register", "gateway", "cron"] = ...,
        traceback: bool | None = ...,
        search: str = ...,
        level: str = ...,
        job_id: str = ...,
        request_id: str = ...,
        filters: Sequence[Mapping[str, Any]] = ...,
    ) -> AsyncItems:
        """Live log lines as Server-Sent Events."""


class _AsyncServerlessRequests:
    def by_endpoint(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        endpoint_id: str | Sequence[str],
        start: str | date = ...,
        end: str | date = ...,
        status: Literal["success", "error", "user_error"] = ...,
        request_id: str = ...,
        expand: str | Sequence[str] = ...,
        sort_by: Literal["ended_at", "duration"] = ...,
    ) -> AsyncItems:
        """Requests that reached own apps."""


class _AsyncServerless:
    def analytics(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        endpoint_id: str | Sequence[str],
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """As /models/analytics, for all inbound traffic to own apps."""

    @property
    def apps(self) -> _AsyncServerlessApps: ...
    @property
    def files(self) -> _AsyncServerlessFiles: ...
    async def metrics(self) -> str:
        """Prometheus text exposition."""

    @property
    def logs(self) -> _AsyncServerlessLogs: ...
    @property
    def requests(self) -> _AsyncServerlessRequests: ...
    def usage(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        app: str | Sequence[str] = ...,
        search: str = ...,
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """Compute seconds and cost of own apps."""


class _AsyncComputeInstances:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
    ) -> AsyncItems:
        """List machines. It needs an account with compute enabled."""

    async def create(
        self,
        *,
        idempotency_key: str = ...,
        instance_type: Literal["gpu_8x_h100_sxm5", "gpu_1x_h100_sxm5"],
        ssh_key: str,
        sector: Literal["sector_1", "sector_2", "sector_3"] = ...,
    ) -> Any:
        """Create a machine. It needs an account with compute enabled."""

    async def get(
        self,
        *,
        id: str,
    ) -> Any:
        """Read a machine. It needs an account with compute enabled."""

    async def delete(
        self,
        *,
        id: str,
    ) -> None:
        """Delete a machine. It needs an account with compute enabled."""


class _AsyncCompute:
    @property
    def instances(self) -> _AsyncComputeInstances: ...

class _AsyncKeys:
    def list(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """List API keys."""

    async def revoke(
        self,
        *,
        key_id: str,
        idempotency_key: str = ...,
        allow_own: bool = ...,
    ) -> None:
        """Revoke an API key."""


class _AsyncAccount:
    async def billing(
        self,
        *,
        expand: str | Sequence[str] = ...,
    ) -> Any:
        """Account name and, on request, credit balance."""

    async def focus(
        self,
        *,
        source: Literal["invoice", "estimate"],
        billing_month: str = ...,
        charge_month: str = ...,
        expand: Literal["organization"] = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
    ) -> str:
        """FOCUS billing report as CSV. It needs an Enterprise account."""

    async def model_access_controls(self) -> str:
        """Model allow/block list as CSV. It needs an Enterprise account."""


class _AsyncOrganization:
    def billing_events(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        endpoint_id: str | Sequence[str] = ...,
        request_id: str | Sequence[str] = ...,
        api_key_id: str | Sequence[str] = ...,
        team_username: str | Sequence[str] = ...,
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """Billing events of every team. It needs an Enterprise organization, and a key of its root team."""

    async def focus(
        self,
        *,
        source: Literal["invoice", "estimate"],
        billing_month: str = ...,
        charge_month: str = ...,
        team_username: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
    ) -> str:
        """FOCUS report across teams as CSV. It needs an Enterprise organization, and a key of its root team."""

    def teams(self) -> AsyncItems:
        """Teams of the organization. It needs an Enterprise organization, and a key of its root team."""

    def usage(
        self,
        *,
        limit: int = ...,
        cursor: str = ...,
        start: str | date = ...,
        end: str | date = ...,
        timezone: str = ...,
        timeframe: Literal["minute", "hour", "day", "week", "month"] = ...,
        bound_to_timeframe: Literal["true", "false"] = ...,
        endpoint_id: str | Sequence[str] = ...,
        api_key_id: str | Sequence[str] = ...,
        team_username: str | Sequence[str] = ...,
        product: str | Sequence[str] = ...,
        expand: str | Sequence[str] = ...,
    ) -> AsyncItems:
        """Usage across teams and products. It needs an Enterprise organization, and a key of its root team."""


class _AsyncMeta:
    async def get(self) -> Any:
        """Platform metadata."""


class _AsyncPlatform:
    @overload
    def __call__(self, name: _ListName, /, *, parse_float: Callable[[str], Any] | None = ..., **params: Any) -> AsyncItems:
        """Read a list of the Platform API by its name."""

    @overload
    async def __call__(self, name: _OneName, /, *, parse_float: Callable[[str], Any] | None = ..., **params: Any) -> Any:
        """Call an operation of the Platform API by its name."""

    @property
    def models(self) -> _AsyncModels: ...
    @property
    def workflows(self) -> _AsyncWorkflows: ...
    @property
    def assets(self) -> _AsyncAssets: ...
    @property
    def storage(self) -> _AsyncStorage: ...
    @property
    def serverless(self) -> _AsyncServerless: ...
    @property
    def compute(self) -> _AsyncCompute: ...
    @property
    def keys(self) -> _AsyncKeys: ...
    @property
    def account(self) -> _AsyncAccount: ...
    @property
    def organization(self) -> _AsyncOrganization: ...
    @property
    def meta(self) -> _AsyncMeta: ...

